#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace vitcl::reference {

/// y = a + b. T is a real or complex type.
template <class T>
void add_forward(std::span<const T> a, std::span<const T> b, std::span<T> y) {
  for (size_t i = 0; i < y.size(); ++i) y[i] = a[i] + b[i];
}

/// dx = dy, for either summand.
template <class T>
void add_backward(std::span<const T> dy, std::span<T> dx) {
  std::ranges::copy(dy, dx.begin());
}

}  // namespace vitcl::reference
