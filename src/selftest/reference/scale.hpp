#pragma once

#include <span>

namespace vitcl::reference {

/// x *= factor.
template <class T>
void scale(std::span<T> x, T factor) {
  for (T& value : x) value *= factor;
}

}  // namespace vitcl::reference
