#include "support/op_test.hpp"

#include <fmt/ranges.h>

#include "support/op_check.hpp"

namespace vitcl::test {
namespace {

void expect_none(const Problems& problems) {
  EXPECT_TRUE(problems.empty()) << fmt::format("{}", fmt::join(problems, "\n"));
}

TEST_P(OpTest, Forward) { expect_none(check_forward(open_device(GetParam().device), *GetParam().op_case)); }

TEST_P(OpTest, Backward) {
  if (!has_backward(*GetParam().op_case)) return;
  expect_none(check_backward(open_device(GetParam().device), *GetParam().op_case));
}

TEST_P(OpTest, Repeats) { expect_none(check_repeatable(open_device(GetParam().device), *GetParam().op_case)); }

TEST_P(OpTest, ExactOnIntegers) {
  if (!GetParam().op_case->exact_on_integers()) return;
  expect_none(check_integers(open_device(GetParam().device), *GetParam().op_case));
}

TEST_P(ReferenceTest, GradientIsTheDerivative) { expect_none(check_reference_gradient(*GetParam())); }

}  // namespace
}  // namespace vitcl::test
