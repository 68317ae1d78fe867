#pragma once

#include <cmath>
#include <cstddef>
#include <optional>

namespace vitcl {

/// The side of a square of so many elements; none where they make no square.
inline std::optional<size_t> side_of_square(size_t elements) {
  const auto side = static_cast<size_t>(std::llround(std::sqrt(static_cast<double>(elements))));
  return side * side == elements ? std::optional(side) : std::nullopt;
}

}  // namespace vitcl
