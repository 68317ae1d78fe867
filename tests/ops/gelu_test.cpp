#include "selftest/cases/gelu_case.hpp"
#include "support/op_test.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Gelu, OpTest, on_every_device(gelu_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Gelu, ReferenceTest, each_case(gelu_cases()), case_name);

}  // namespace vitcl::test
