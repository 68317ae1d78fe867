#include "selftest/cases/adam_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Adam, OpTest, on_every_device(adam_cases()), op_test_name);

class AdamTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, AdamTest, all_devices(), device_name);

// The first step from zero moments is lr g / (|g| + epsilon), for gradients from 1e-12 to 1e6.
TEST_P(AdamTest, FirstStepIsTheLearningRate) {
  constexpr float learning_rate = 0.003F;
  std::vector<float> gradients;
  for (float g = 1e-12F; g < 1e6F; g *= 3) gradients.push_back(gradients.size() % 2 == 0 ? g : -g);
  gradients.push_back(0);
  const Shape shape{gradients.size()};
  const Tensor g = Tensor::empty(device(), shape), p = Tensor::empty(device(), shape);
  const Tensor m = Tensor::empty(device(), shape), v = Tensor::empty(device(), shape);
  const Tensor table = Tensor::empty(device(), {1, 4}), cursor = Tensor::empty(device(), {1}, DType::i32);
  const std::vector<float> zeros(gradients.size(), 0);
  for (const Tensor* tensor : {&p, &m, &v}) upload<float>(queue(), zeros, *tensor);
  upload<float>(queue(), gradients, g);
  upload<int32_t>(queue(), std::vector<int32_t>{0}, cursor);
  const ops::StepEntry entry{0, learning_rate, 0.1F, static_cast<float>(std::sqrt(0.001))};
  queue().write(table.buffer(), &entry, sizeof entry);
  ops::adam(queue(), g, {}, table, cursor, p, m, v);
  const auto got = download<float>(queue(), p);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const double gradient = gradients[i];
    const double want = -static_cast<double>(learning_rate) * gradient / (std::abs(gradient) + 1e-8);
    EXPECT_NEAR(got[i], want, 1e-6 * static_cast<double>(learning_rate)) << gradient;
  }
}

TEST_P(AdamTest, RefusesWhatDoesNotFit) {
  const Tensor five = Tensor::empty(device(), {5}), four = Tensor::empty(device(), {4});
  const Tensor table = Tensor::empty(device(), {1, 4}), cursor = Tensor::empty(device(), {1}, DType::i32);
  EXPECT_THROW(ops::adam(queue(), four, {}, table, cursor, five, five, five), ShapeError);
  EXPECT_THROW(ops::adam(queue(), five, {}, five, cursor, five, five, five), ShapeError);
  EXPECT_THROW(ops::adam(queue(), five, {}, table, five, five, five, five), ShapeError);
}

}  // namespace vitcl::test
