#include "selftest/cases/scale_case.hpp"
#include "support/op_test.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Scale, OpTest, on_every_device(scale_cases()), op_test_name);

}  // namespace vitcl::test
