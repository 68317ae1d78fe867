#include "support/op_test.hpp"

#include <fmt/ranges.h>

#include "support/op_check.hpp"

namespace vitcl::test {
namespace {

std::string lines(const Problems& problems) { return fmt::format("{}", fmt::join(problems, "\n")); }

TEST_P(OpTest, Forward) { EXPECT_EQ(lines(check_forward(open_device(GetParam().device), *GetParam().op_case)), ""); }

TEST_P(OpTest, Backward) {
  if (!has_backward(*GetParam().op_case)) return;
  EXPECT_EQ(lines(check_backward(open_device(GetParam().device), *GetParam().op_case)), "");
}

TEST_P(OpTest, Repeats) { EXPECT_EQ(lines(check_repeatable(open_device(GetParam().device), *GetParam().op_case)), ""); }

TEST_P(OpTest, ExactOnIntegers) {
  if (!GetParam().op_case->exact_on_integers()) return;
  EXPECT_EQ(lines(check_integers(open_device(GetParam().device), *GetParam().op_case)), "");
}

TEST_P(ReferenceTest, GradientIsTheDerivative) { EXPECT_EQ(lines(check_reference_gradient(*GetParam())), ""); }

}  // namespace
}  // namespace vitcl::test
