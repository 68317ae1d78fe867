#include "selftest/cases/mix_case.hpp"
#include "selftest/reference/cross_entropy.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Mix, OpTest, on_every_device(mix_cases()), op_test_name);

/// The loss of four samples of three classes of weights 1, 4 and 2 with label smoothing 0.1, mixed with the batch
/// backwards, and its gradient.
struct MixedLoss {
  double loss = 0;
  std::vector<double> gradient = std::vector<double>(12);
  explicit MixedLoss(float share) {
    const std::vector<double> logits = {0.5, -1.25, 2, 1.5, 0.25, -0.5, -0.75, 1, 0.125, 0, 3, -2}, weights = {1, 4, 2};
    const std::vector<size_t> labels = {2, 0, 0, 1};
    const ops::MixEntry mix{.share = share, .target_scale = 4.0F / 8};  // the images over the sum of their weights
    std::vector<double> targets(12), losses(4);
    for (size_t i = 0; i < 4; ++i) {
      reference::soft_target(mix, labels[i], labels[3 - i], 0.1, weights, std::span(targets).subspan(3 * i, 3));
    }
    reference::soft_cross_entropy<double>(logits, targets, losses);
    reference::soft_cross_entropy_gradient<double>(logits, targets, 4, gradient);
    loss = (losses[0] + losses[1] + losses[2] + losses[3]) / 4;
  }
};

// share C(x, y) + (1 - share) C(x, y.flip(0)) with C = CrossEntropyLoss(weight=(1, 4, 2), label_smoothing=0.1) of
// PyTorch, in float64.
TEST(SoftTargetReference, IsPyTorchsLossWithClassWeightsAndSmoothing) {
  const MixedLoss plain(1), mixed(0.25F);
  EXPECT_NEAR(plain.loss, 0.5646256643807785, 1e-14);
  EXPECT_NEAR(mixed.loss, 2.5352268655593533, 1e-14);
  const std::vector<double> wanted = {0.07061353534960665,  -0.3411718160702779,  0.2705582807206713,
                                      -0.01703052006358203, 0.011879567275782217, 0.005150952787799791,
                                      -0.10118985368570013, 0.07239624272964358,  0.028793610956056558,
                                      0.010461227212864497, 0.16464243595912745,  -0.17510366317199189};
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(mixed.gradient[i], wanted[i], 1e-14) << i;
}

class MixTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, MixTest, all_devices(), device_name);

TEST_P(MixTest, ALabelOutOfRangeMakesItsTargetsNan) {
  const auto numbers = [&](const std::vector<int32_t>& values) {
    Tensor tensor = Tensor::empty(device(), {values.size()}, DType::i32);
    upload<int32_t>(queue(), values, tensor);
    return tensor;
  };
  const auto floats = [&](const Shape& shape, const std::vector<float>& values) {
    Tensor tensor = Tensor::empty(device(), shape);
    upload<float>(queue(), values, tensor);
    return tensor;
  };
  const Tensor labels = Tensor::empty(device(), {3}, DType::i32), targets = Tensor::empty(device(), {3, 2});
  ops::soft_targets(queue(), numbers({0, 2, 1}), numbers({0, 1, 2}), numbers({0, 0, 1}), floats({1, 4}, {0, 0, 0, 0}),
                    floats({1, 7}, {0.75F, 1, 0, 0, 0, 0, 1}), numbers({0}), floats({2}, {1, 1}), 0, labels, targets);
  const std::vector<float> got = download<float>(queue(), targets);
  EXPECT_EQ(got[0], 1);
  EXPECT_EQ(got[1], 0);
  for (size_t i = 2; i < got.size(); ++i) EXPECT_TRUE(std::isnan(got[i])) << i;
}

TEST_P(MixTest, RefusesWhatDoesNotFit) {
  const Tensor images = Tensor::empty(device(), {2, 1, 3, 3}), others = Tensor::empty(device(), {2, 1, 3, 4}),
               mixes = Tensor::empty(device(), {4, 7}), short_mixes = Tensor::empty(device(), {4, 6}),
               cursor = Tensor::empty(device(), {1}, DType::i32);
  EXPECT_THROW(ops::mix_images(queue(), others, mixes, cursor, images), ShapeError);
  EXPECT_THROW(ops::mix_images(queue(), others, mixes, cursor, others), ShapeError);
  EXPECT_THROW(ops::mix_images(queue(), images, short_mixes, cursor, images), ShapeError);
  const Tensor table = Tensor::empty(device(), {4, 4}), order = Tensor::empty(device(), {8}, DType::i32),
               labels = Tensor::empty(device(), {2}, DType::i32), targets = Tensor::empty(device(), {2, 3}),
               weights = Tensor::empty(device(), {3}), few = Tensor::empty(device(), {2});
  const auto make_targets = [&](const Tensor& partners, const Tensor& class_weights, const Tensor& to) {
    ops::soft_targets(queue(), order, order, partners, table, mixes, cursor, class_weights, 0, labels, to);
  };
  EXPECT_THROW(make_targets(order, few, targets), ShapeError);
  EXPECT_THROW(make_targets(labels, weights, targets), ShapeError);
  EXPECT_THROW(make_targets(order, few, few), ShapeError);
}

}  // namespace vitcl::test
