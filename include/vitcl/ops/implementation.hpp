#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vitcl::ops {

/// The name that VITCL_IMPL ("op:name[,op:name...]") forces for `op`, or empty.
/// Throws UsageError where `names` does not hold the forced one, listing what there is.
std::string_view forced_implementation(std::string_view op, std::span<const std::string_view> names);

}  // namespace vitcl::ops
