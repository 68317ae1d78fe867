#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "selftest/tolerances.hpp"
#include "vitcl/tensor/shape.hpp"

namespace vitcl::selftest {

/// Holds `got` to `want` element by element: |got - want| <= absolute + relative |want|. Two NaNs and two equal
/// infinities agree. Returns nothing where all agree, else one line: the worst element, how many are wrong, the limit.
std::optional<std::string> compare(std::string_view name, const Shape& shape, std::span<const double> got,
                                   std::span<const double> want, const Tolerance& tolerance);

/// The largest |got - want| as a share of its limit: at most 1 where all agree.
double share_of_limit(std::span<const double> got, std::span<const double> want, const Tolerance& tolerance);

}  // namespace vitcl::selftest
