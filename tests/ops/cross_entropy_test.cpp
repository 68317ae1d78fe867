#include "selftest/cases/cross_entropy_case.hpp"
#include "selftest/force_impl.hpp"
#include "support/gradients.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct Result {
  std::vector<float> loss;
  std::vector<int32_t> correct;
  std::vector<float> dlogits;
};

Result cross_entropy(Device& device, size_t classes, const std::vector<float>& logits,
                     const std::vector<int32_t>& labels, float smoothing, size_t mean_over = 0) {
  Queue& queue = device.queue();
  const size_t batch = labels.size();
  const Tensor x = Tensor::empty(device, {batch, classes}), d = Tensor::empty(device, {batch, classes});
  const Tensor y = Tensor::empty(device, {batch}, DType::i32), hit = Tensor::empty(device, {batch}, DType::i32);
  const Tensor loss = Tensor::empty(device, {batch});
  upload<float>(queue, logits, x);
  upload<int32_t>(queue, labels, y);
  ops::cross_entropy(queue, x, y, smoothing, loss, hit, &d, mean_over);
  return {download<float>(queue, loss), download<int32_t>(queue, hit), download<float>(queue, d)};
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(CrossEntropy, OpTest, on_every_device(cross_entropy_cases()), op_test_name);

// dlogits is a result of the one pass, so its reference is proved here instead of by the cases.
TEST(CrossEntropyReference, GradientIsTheComplexStep) {
  using Complex = std::complex<double>;
  const std::vector<double> logits = {0.3, -1.2, 2.5, 0.1, 1.7, -0.4, 0.9, 0.8}, labels = {2, 0};
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    const auto mean_loss = [&](std::span<const Complex> x) {
      std::vector<Complex> loss(labels.size());
      reference::cross_entropy<Complex>(x, labels, smoothing, loss);
      return (loss[0] + loss[1]) / 2.0;
    };
    std::vector<double> gradient(logits.size());
    reference::cross_entropy_gradient<double>(logits, labels, smoothing, gradient);
    const auto proved = complex_step_gradient(mean_loss, logits);
    for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(gradient[i], proved[i], 1e-14) << i;
  }
}

TEST(CrossEntropyReference, GradientOfSoftTargetsIsTheComplexStep) {
  using Complex = std::complex<double>;
  const std::vector<double> logits = {0.3, -1.2, 2.5, 0.1, 1.7, -0.4, 0.9, 0.8};
  const std::vector<double> targets = {0.3, 0, 1.7, 0.4, 0, 0, 0.25, 0.5};
  const auto mean_loss = [&](std::span<const Complex> x) {
    std::vector<Complex> loss(2);
    reference::soft_cross_entropy<Complex>(x, targets, loss);
    return (loss[0] + loss[1]) / 2.0;
  };
  std::vector<double> gradient(logits.size());
  reference::soft_cross_entropy_gradient<double>(logits, targets, 2, gradient);
  const auto proved = complex_step_gradient(mean_loss, logits);
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(gradient[i], proved[i], 1e-14) << i;
}

class CrossEntropyTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CrossEntropyTest, all_devices(), device_name);

TEST_P(CrossEntropyTest, APartOfABatchHasItsPartOfTheGradient) {
  const std::vector<float> logits = {1, 2, 0, 3, 1, 1};
  const auto whole = cross_entropy(device(), 3, logits, {0, 2}, 0.1F);
  const auto part = cross_entropy(device(), 3, logits, {0, 2}, 0.1F, 8);
  EXPECT_EQ(part.loss, whole.loss);
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_EQ(part.dlogits[i], whole.dlogits[i] / 4);
}

TEST_P(CrossEntropyTest, CountsTheFirstOfEqualLogits) {
  for (const std::string& implementation : row_shapes("cross_entropy", device().info())) {
    const ForceImpl force(implementation);
    const auto got = cross_entropy(device(), 3, {1, 1, 0, 1, 1, 0, 0, 2, 2}, {0, 1, 2}, 0);
    EXPECT_EQ(got.correct, (std::vector<int32_t>{1, 0, 0}));
  }
}

TEST_P(CrossEntropyTest, SurvivesExtremeLogits) {
  const auto got = cross_entropy(device(), 2, {1e4F, -1e4F, 1e4F, -1e4F, -infinity, 0}, {0, 1, 1}, 0);
  EXPECT_EQ(got.loss, (std::vector<float>{0, 2e4F, 0}));
  EXPECT_EQ(got.correct, (std::vector<int32_t>{1, 0, 1}));
  const std::vector<float> want = {0, 0, 1.0F / 3, -1.0F / 3, 0, 0};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_FLOAT_EQ(got.dlogits[i], want[i]) << i;
}

TEST_P(CrossEntropyTest, GivesNanForALabelOutOfRangeOrANanLogit) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::string& implementation : row_shapes("cross_entropy", device().info())) {
    const ForceImpl force(implementation);
    const auto got = cross_entropy(device(), 2, {0, 0, 0, 0, 0, 0, nan, 0}, {-1, 2, 1 << 30, 1}, 0);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(std::isnan(got.loss[i])) << i;
      EXPECT_EQ(got.correct[i], 0) << i;
      EXPECT_TRUE(std::isnan(got.dlogits[2 * i])) << i;
    }
  }
}

TEST_P(CrossEntropyTest, SoftTargetsOfOneLabelAreThatLabel) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits = {1e4F, -1e4F, 1e4F, -1e4F, -infinity, 0, 0, 0};
  const Tensor x = Tensor::empty(device(), {4, 2}), targets = Tensor::empty(device(), {4, 2}),
               d = Tensor::empty(device(), {4, 2}), loss = Tensor::empty(device(), {4}),
               labels = Tensor::empty(device(), {4}, DType::i32), hit = Tensor::empty(device(), {4}, DType::i32);
  upload<float>(queue(), logits, x);
  upload<float>(queue(), std::vector<float>{1, 0, 0, 1, 0, 1, nan, nan}, targets);
  upload<int32_t>(queue(), std::vector<int32_t>{0, 1, 1, 2}, labels);
  for (const std::string& implementation : row_shapes("cross_entropy", device().info())) {
    const ForceImpl force(implementation);
    ops::soft_cross_entropy(queue(), x, targets, labels, loss, hit, &d, 8);
    const auto hard = cross_entropy(device(), 2, logits, {0, 1, 1, 2}, 0, 8);
    const std::vector<float> losses = download<float>(queue(), loss), gradient = download<float>(queue(), d);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(losses[i], hard.loss[i]) << i;
    for (size_t i = 0; i < 6; ++i) EXPECT_EQ(gradient[i], hard.dlogits[i]) << i;
    EXPECT_TRUE(std::isnan(losses[3]) && std::isnan(gradient[6]) && std::isnan(gradient[7]));
    EXPECT_EQ(download<int32_t>(queue(), hit), hard.correct);
  }
}

TEST_P(CrossEntropyTest, RefusesWhatDoesNotFit) {
  const Tensor logits = Tensor::empty(device(), {3, 2}), loss = Tensor::empty(device(), {3});
  const Tensor labels = Tensor::empty(device(), {3}, DType::i32), two = Tensor::empty(device(), {2}, DType::i32);
  EXPECT_THROW(ops::cross_entropy(queue(), logits, two, 0, loss, labels, nullptr), ShapeError);
  EXPECT_THROW(ops::cross_entropy(queue(), logits, loss, 0, loss, labels, nullptr), ShapeError);  // not integers
  EXPECT_THROW(ops::cross_entropy(queue(), logits, labels, 0, loss, labels, &loss), ShapeError);
  EXPECT_THROW(ops::soft_cross_entropy(queue(), logits, loss, labels, loss, labels, nullptr), ShapeError);
}

}  // namespace vitcl::test
