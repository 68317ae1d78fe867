#include "selftest/cases/add_case.hpp"
#include "support/op_test.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Add, OpTest, on_every_device(add_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Add, ReferenceTest, each_case(add_cases()), case_name);

}  // namespace vitcl::test
