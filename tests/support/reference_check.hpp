#pragma once

#include "selftest/op_check.hpp"

namespace vitcl::test {

/// The reference's backward against differences of its own forward, at up to 24 elements of each gradient.
/// Uses the names: the gradient of "x" is "dx", the upstream gradient of "y" is "dy".
selftest::Problems check_reference_gradient(const selftest::OpCase& op_case);

}  // namespace vitcl::test
