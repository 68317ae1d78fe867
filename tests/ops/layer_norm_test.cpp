#include "selftest/cases/layer_norm_case.hpp"
#include "selftest/force_impl.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(LayerNorm, OpTest, on_every_device(layer_norm_cases()), op_test_name);
INSTANTIATE_TEST_SUITE_P(LayerNorm, ReferenceTest, each_case(layer_norm_cases()), case_name);

class LayerNormTest : public DeviceTest {
 protected:
  Tensor tensor(const Shape& shape) { return Tensor::empty(device(), shape); }
};
INSTANTIATE_TEST_SUITE_P(Devices, LayerNormTest, all_devices(), device_name);

// The mean of squares less the square of the mean would leave nothing of a variance of 1 beside a mean of 4096.
TEST_P(LayerNormTest, KeepsItsPrecisionFarFromZero) {
  for (const std::string& implementation : row_shapes("layer_norm", device().info())) {
    const ForceImpl force(implementation);
    const size_t rows = 3, dim = 50;
    std::vector<float> x(rows * dim);
    for (size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? 4097.0F : 4095.0F;
    const Tensor in = tensor({rows, dim}), weight = tensor({dim}), bias = tensor({dim}), y = tensor({rows, dim});
    const Tensor mean = tensor({rows}), rstd = tensor({rows});
    upload<float>(queue(), x, in);
    upload<float>(queue(), std::vector<float>(dim, 1), weight);
    upload<float>(queue(), std::vector<float>(dim, 0), bias);
    ops::layer_norm_forward(queue(), in, weight, bias, 0, y, mean, rstd);
    const auto result = download<float>(queue(), y);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(result[i], i % 2 == 0 ? 1 : -1, 1e-6) << i;
  }
}

TEST_P(LayerNormTest, NamesWhatDoesNotFit) {
  const Tensor x = tensor({3, 5}), four = tensor({4}), five = tensor({5}), rows = tensor({3});
  try {
    ops::layer_norm_forward(queue(), x, four, five, 0, x, rows, rows);
    FAIL() << "no error";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "[layer_norm] x is (3, 5) but weight expects 4 features");
  }
  EXPECT_THROW(ops::layer_norm_forward(queue(), x, five, five, 0, x, five, rows), ShapeError);
  EXPECT_THROW(ops::layer_norm_backward(queue(), x, x, five, rows, rows, ops::GradMode::overwrite, x,
                                        ops::GradMode::overwrite, five, five, five),
               ShapeError);  // the workspace is too small
}

}  // namespace vitcl::test
