#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vitcl/backend/choices.hpp"

namespace vitcl {
class Device;
}

namespace vitcl::ops {

/// The name that VITCL_IMPL ("op:name[,op:name...]") forces for `op`, or empty.
/// Throws UsageError where `names` does not hold the forced one, listing what there is.
std::string_view forced_implementation(std::string_view op, std::span<const std::string_view> names);

/// Lists an op's implementations in order of preference.
using Candidates = std::function<std::vector<Candidate>()>;

/// The implementation that runs `key` on a device: the one that VITCL_IMPL forces, else the one that the device's
/// choices ask for, if it does not refuse, else the first of the candidates that does not. Notes it in the choices.
/// Throws UsageError where the forced one refuses.
const std::string& choose_implementation(Device& device, const OpShape& key, const Candidates& candidates);

}  // namespace vitcl::ops
