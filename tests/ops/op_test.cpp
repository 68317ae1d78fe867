#include "support/op_test.hpp"

#include <fmt/ranges.h>

#include "selftest/op_check.hpp"
#include "support/reference_check.hpp"

namespace vitcl::test {
namespace {

void expect_none(const Problems& problems) {
  EXPECT_TRUE(problems.empty()) << fmt::format("{}", fmt::join(problems, "\n"));
}

// Oclgrind looks at each access of Forward and Backward; that its results repeat would say nothing of a real device.
bool on_oclgrind(const CaseOnDevice& param) { return is_oclgrind(param.device.info); }

TEST_P(OpTest, Forward) { expect_none(check_forward(open_device(GetParam().device), *GetParam().op_case)); }

TEST_P(OpTest, Backward) {
  if (!has_backward(*GetParam().op_case)) return;
  expect_none(check_backward(open_device(GetParam().device), *GetParam().op_case));
}

TEST_P(OpTest, Repeats) {
  if (on_oclgrind(GetParam())) return;
  expect_none(check_repeatable(open_device(GetParam().device), *GetParam().op_case));
}

TEST_P(OpTest, ExactOnIntegers) {
  if (on_oclgrind(GetParam()) || !GetParam().op_case->exact_on_integers()) return;
  expect_none(check_integers(open_device(GetParam().device), *GetParam().op_case));
}

TEST_P(ReferenceTest, GradientIsTheDerivative) { expect_none(check_reference_gradient(*GetParam())); }

}  // namespace
}  // namespace vitcl::test
