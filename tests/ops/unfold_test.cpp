#include "selftest/cases/unfold_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Unfold, OpTest, on_every_device(unfold_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Unfold, ReferenceTest, each_case(unfold_cases()), case_name);

class UnfoldTest : public DeviceTest {
 protected:
  Tensor tensor(const Shape& shape) { return Tensor::empty(device(), shape); }
};
INSTANTIATE_TEST_SUITE_P(Devices, UnfoldTest, all_devices(), device_name);

// A square of 2 x 2 tokens of 2 channels in one window of 3, the first row and column of which are padding.
TEST_P(UnfoldTest, FlattensByRowColumnAndChannel) {
  const Tensor x = tensor({1, 4, 2}), windows = tensor({1, 1, 18});
  upload<float>(queue(), std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}, x);
  ops::unfold_forward(queue(), x, {.window = 3, .stride = 2, .padding = 1, .pad_value = -1}, windows);
  const std::vector<float> want = {-1, -1, -1, -1, -1, -1, -1, -1, 1, 2, 3, 4, -1, -1, 5, 6, 7, 8};
  EXPECT_EQ(download<float>(queue(), windows), want);
}

TEST_P(UnfoldTest, RefusesWhatDoesNotFit) {
  const Tensor square = tensor({2, 9, 3}), oblong = tensor({2, 8, 3}), windows = tensor({2, 4, 27});
  const ops::UnfoldOptions options{.window = 3, .stride = 2, .padding = 1};
  queue().zero(square.buffer());
  EXPECT_NO_THROW(ops::unfold_forward(queue(), square, options, windows));
  EXPECT_THROW(ops::unfold_forward(queue(), oblong, options, windows), ShapeError);
  EXPECT_THROW(ops::unfold_forward(queue(), square, {.window = 3, .stride = 1, .padding = 1}, windows), ShapeError);
  EXPECT_THROW(ops::unfold_forward(queue(), square, {.window = 4, .stride = 1}, windows), ShapeError);
  EXPECT_THROW(ops::unfold_forward(queue(), square, {.window = 3, .stride = 0}, windows), ShapeError);
  EXPECT_THROW(ops::unfold_forward(queue(), square, {.window = 1, .stride = 2, .padding = 1}, windows), ShapeError);
}

}  // namespace vitcl::test
