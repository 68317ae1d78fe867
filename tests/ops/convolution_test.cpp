#include "selftest/cases/convolution_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Convolution, OpTest, on_every_device(convolution_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(Convolution, ReferenceTest, each_case(convolution_cases()), case_name);

class ConvolutionTest : public DeviceTest {
 protected:
  Tensor tensor(const Shape& shape) {
    const Tensor made = Tensor::empty(device(), shape);
    queue().zero(made.buffer());
    return made;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, ConvolutionTest, all_devices(), device_name);

TEST_P(ConvolutionTest, RefusesWhatDoesNotFit) {
  const ops::UnfoldOptions options{.window = 3, .stride = 2, .padding = 1};
  const Tensor x = tensor({2, 9, 3}), w = tensor({5, 27}), y = tensor({2, 4, 5}), bias = tensor({5});
  const Tensor workspace =
      tensor({ops::convolution_workspace_bytes(device().caps(), x.shape(), 5, options) / sizeof(float) + 1});
  const auto forward = [&](const Tensor& some_x, const Tensor& some_w, const Tensor& some_y, const Tensor& scratch) {
    ops::convolution_forward(queue(), some_x, some_w, &bias, options, some_y, scratch);
  };
  EXPECT_NO_THROW(forward(x, w, y, workspace));
  EXPECT_THROW(forward(tensor({2, 8, 3}), w, y, workspace), ShapeError) << "no square";
  EXPECT_THROW(forward(x, tensor({5, 9}), y, workspace), ShapeError);
  EXPECT_THROW(forward(x, tensor({4, 27}), y, workspace), ShapeError);
  EXPECT_THROW(forward(x, w, tensor({2, 9, 5}), workspace), ShapeError);
  EXPECT_THROW(forward(x, w, y, tensor({1})), ShapeError);
}

}  // namespace vitcl::test
