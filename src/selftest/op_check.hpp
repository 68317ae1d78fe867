#pragma once

#include <string>
#include <vector>

#include "selftest/cases/op_case.hpp"

namespace vitcl::selftest {

// What holds for every op. Each check runs the case under each of its implementations and returns what is wrong, one
// line each; nothing when all is well.

using Problems = std::vector<std::string>;

struct CheckOptions {
  bool shipped_only = false;      ///< run only what the op chooses by itself
  double* worst_share = nullptr;  ///< raised to the largest error of a result, as a share of its limit
};

/// Forward against the reference, guards, inputs untouched.
Problems check_forward(Device& device, const OpCase& op_case, const CheckOptions& options = {});
/// Backward against the reference with every combination of gradient modes, guards, inputs untouched.
Problems check_backward(Device& device, const OpCase& op_case, const CheckOptions& options = {});
/// Two runs give the same bits.
Problems check_repeatable(Device& device, const OpCase& op_case);
/// On small integers, an exact case gives the reference's result to the bit.
Problems check_integers(Device& device, const OpCase& op_case, const CheckOptions& options = {});

/// The most work (flops + bytes) to put into one call on a device.
double work_limit(const DeviceInfo& info);

}  // namespace vitcl::selftest
