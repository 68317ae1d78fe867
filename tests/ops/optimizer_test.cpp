#include "selftest/cases/optimizer_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Optimizer, OpTest, on_every_device(optimizer_cases()), op_test_name);

class OptimizerTest : public DeviceTest {
 protected:
  Tensor filled(const std::vector<float>& values) {
    const Tensor tensor = Tensor::empty(device(), {values.size()});
    upload<float>(queue(), values, tensor);
    return tensor;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, OptimizerTest, all_devices(), device_name);

// A factor of 1, no decay and a scale of 1 are adam().
TEST_P(OptimizerTest, WithoutFactorsIsAdam) {
  std::vector<float> gradients, start;
  for (int i = 0; i < 37; ++i) {
    gradients.push_back(static_cast<float>(i - 18) * 0.37F);
    start.push_back(1 / static_cast<float>(i + 1));
  }
  const Tensor cursor = Tensor::empty(device(), {1}, DType::i32), table = Tensor::empty(device(), {1, 4});
  const Tensor factors = Tensor::empty(device(), {3, 2});
  upload<float>(queue(), std::vector<float>{1, 0, 1, 0, 1, 0}, factors);
  queue().zero(cursor.buffer());
  const ops::StepEntry entry{0, 0.01F, 0.1F, static_cast<float>(std::sqrt(0.001))};
  queue().write(table.buffer(), &entry, sizeof entry);
  const std::vector<float> zeros(37, 0);
  const Tensor g = filled(gradients), p = filled(start), m = filled(zeros), v = filled(zeros);
  ops::adam(queue(), g, {}, table, cursor, p, m, v);
  const auto plain = download<float>(queue(), p);
  for (const auto decay : {ops::WeightDecay::l2, ops::WeightDecay::decoupled}) {
    const ops::Update update{g, filled({1}), factors, table, cursor, filled(start)};
    ops::adam_with_decay(queue(), update, {}, decay, filled(zeros), filled(zeros));
    const auto got = download<float>(queue(), update.parameters);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_FLOAT_EQ(got[i], plain[i]) << i;
  }
}

// Three steps on the parameters 1, -2 with the gradients (0.5, -1), (0.25, 2), (-1, 0.125), computed once by PyTorch.
TEST_P(OptimizerTest, FollowsPyTorch) {
  const std::vector<std::vector<float>> gradients = {{0.5F, -1}, {0.25F, 2}, {-1, 0.125F}};
  const Tensor cursor = Tensor::empty(device(), {1}, DType::i32), table = Tensor::empty(device(), {3, 4});
  const Tensor factors = Tensor::empty(device(), {1, 2});
  upload<float>(queue(), std::vector<float>{1, 0.1F}, factors);
  std::vector<ops::StepEntry> entries;
  for (int t = 1; t <= 3; ++t) {
    entries.push_back(
        {0, 0.1F, static_cast<float>(1 - std::pow(0.9, t)), static_cast<float>(std::sqrt(1 - std::pow(0.999, t)))});
  }
  queue().write(table.buffer(), entries.data(), entries.size() * sizeof entries[0]);
  const auto run = [&](auto&& step) {
    const Tensor p = filled({1, -2}), m = filled({0, 0}), v = filled({0, 0});
    for (int32_t t = 0; t < 3; ++t) {
      queue().write(cursor.buffer(), &t, sizeof t);
      step(ops::Update{filled(gradients[static_cast<size_t>(t)]), filled({1}), factors, table, cursor, p}, m, v);
    }
    return download<float>(queue(), p);
  };
  const auto expect = [](const std::vector<float>& got, float first, float second) {
    EXPECT_NEAR(got[0], first, 1e-6F);
    EXPECT_NEAR(got[1], second, 2e-6F);
  };
  expect(run([&](const ops::Update& update, const Tensor& m, const Tensor& v) {
           ops::adam_with_decay(queue(), update, {}, ops::WeightDecay::decoupled, m, v);
         }),
         0.800638922F, -1.910655634F);
  expect(run([&](const ops::Update& update, const Tensor& m, const Tensor& v) {
           ops::adam_with_decay(queue(), update, {}, ops::WeightDecay::l2, m, v);
         }),
         0.812098261F, -1.942361458F);
  expect(run([&](const ops::Update& update, const Tensor& m, const Tensor&) { ops::sgd(queue(), update, {}, m); }),
         0.877211146F, -2.066647292F);
  expect(run([&](const ops::Update& update, const Tensor& m, const Tensor&) {
           ops::sgd(queue(), update, {.momentum = 0.9, .nesterov = false}, m);
         }),
         0.863524000F, -2.012048000F);
}

TEST_P(OptimizerTest, RefusesWhatDoesNotFit) {
  const Tensor five = Tensor::empty(device(), {5}), four = Tensor::empty(device(), {4});
  const Tensor table = Tensor::empty(device(), {1, 4}), cursor = Tensor::empty(device(), {1}, DType::i32);
  const Tensor one = Tensor::empty(device(), {1}), factors = Tensor::empty(device(), {1, 2});
  const ops::Update good{five, one, factors, table, cursor, five};
  EXPECT_THROW(ops::sgd(queue(), good, {}, four), ShapeError);
  EXPECT_THROW(ops::adam_with_decay(queue(), good, {}, ops::WeightDecay::l2, five, four), ShapeError);
  EXPECT_THROW(ops::sgd(queue(), {five, one, four, table, cursor, five}, {}, five), ShapeError);
  EXPECT_THROW(ops::clip_scale(queue(), {five, five, factors, table, cursor, five}, 1, five), ShapeError);
  EXPECT_THROW(ops::moving_average(queue(), five, 0.5, four), ShapeError);
}

}  // namespace vitcl::test
