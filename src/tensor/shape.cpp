#include "vitcl/tensor/shape.hpp"

#include <fmt/format.h>

#include <functional>
#include <numeric>

namespace vitcl {

size_t Shape::elements() const { return std::accumulate(sizes_.begin(), sizes_.end(), size_t{1}, std::multiplies<>()); }

std::string Shape::to_string() const { return fmt::format("({})", fmt::join(sizes_, ", ")); }

}  // namespace vitcl
