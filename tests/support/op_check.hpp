#pragma once

#include <string>
#include <vector>

#include "cases/op_case.hpp"

namespace vitcl::test {

// What holds for every op. Each check runs the case under each of its implementations and returns what is wrong, one
// line each; nothing when all is well.

using Problems = std::vector<std::string>;

/// Forward against the reference, guards, inputs untouched.
Problems check_forward(Device& device, const OpCase& op_case);
/// Backward against the reference with every combination of gradient modes, guards, inputs untouched.
Problems check_backward(Device& device, const OpCase& op_case);
/// Two runs give the same bits.
Problems check_repeatable(Device& device, const OpCase& op_case);
/// On small integers, an exact case gives the reference's result to the bit.
Problems check_integers(Device& device, const OpCase& op_case);

/// The reference's backward against differences of its own forward, at up to 24 elements of each gradient.
/// Uses the names: the gradient of "x" is "dx", the upstream gradient of "y" is "dy".
Problems check_reference_gradient(const OpCase& op_case);

}  // namespace vitcl::test
