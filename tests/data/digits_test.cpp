#include "vitcl/data/digits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "vitcl/data/sampling.hpp"

namespace vitcl::data {
namespace {

TEST(Digits, AreTheSameBytesOnEveryPlatform) {
  EXPECT_EQ(fingerprint(draw_digits(0)), "b6a01153441e4fcd10ff733365f11f52");
}

TEST(Digits, AnImageDependsOnItsSeedSplitAndIndexAlone) {
  const Dataset few = draw_digits(5, 10, 4), more = draw_digits(5, 1500, 700), other = draw_digits(6, 10, 4);
  EXPECT_TRUE(std::equal(few.train.pixels.begin(), few.train.pixels.end(), more.train.pixels.begin()));
  EXPECT_TRUE(std::equal(few.test.pixels.begin(), few.test.pixels.end(), more.test.pixels.begin()));
  EXPECT_NE(few.train.pixels, other.train.pixels);
  EXPECT_FALSE(std::equal(few.test.pixels.begin(), few.test.pixels.end(), few.train.pixels.begin()));
}

TEST(Digits, HaveTheirSizesAndEveryClassAboutAsOften) {
  const Dataset dataset = draw_digits(1, 5000, 100);
  EXPECT_EQ(dataset.train.count, 5000U);
  EXPECT_EQ(dataset.test.count, 100U);
  EXPECT_EQ(dataset.train.pixels.size(), 5000U * 28 * 28);
  EXPECT_EQ(dataset.class_names.size(), 10U);
  std::array<int, 10> counts{};
  for (const int32_t label : dataset.train.labels) ++counts.at(static_cast<size_t>(label));
  for (const int count : counts) EXPECT_NEAR(count, 500, 130);  // six standard deviations
}

TEST(Digits, EveryImageShowsADigitThatIsNotCutOff) {
  const Split split = draw_digits(2, 2000, 0).train;
  size_t touching = 0;
  for (size_t i = 0; i < split.count; ++i) {
    const uint8_t* image = split.pixels.data() + i * split.image_bytes();
    EXPECT_GT(std::count_if(image, image + split.image_bytes(), [](uint8_t value) { return value > 128; }), 8) << i;
    touching += std::any_of(image, image + 28, [](uint8_t value) { return value > 128; });  // the top row
  }
  EXPECT_LT(touching, split.count / 50);
}

/// Softmax regression on standardised pixels by gradient descent in mini-batches.
class LinearClassifier {
 public:
  explicit LinearClassifier(const Dataset& dataset) : mean_(dataset.mean[0]), deviation_(dataset.deviation[0]) {}

  void train_epoch(const Split& split, uint64_t epoch, float rate) {
    for (const int32_t index : epoch_order(split.count, 0, epoch)) {
      const auto image = static_cast<size_t>(index);
      const std::array<float, pixels> x = input(split, image);
      std::array<float, 10> p = scores(x);
      const float top = *std::max_element(p.begin(), p.end());
      for (float& value : p) value = std::exp(value - top);
      const float sum = std::accumulate(p.begin(), p.end(), 0.0F);
      for (size_t c = 0; c < 10; ++c) {
        const float slope = rate * (p[c] / sum - (static_cast<size_t>(split.labels[image]) == c ? 1.0F : 0.0F));
        bias_[c] -= slope;
        for (size_t i = 0; i < pixels; ++i) weights_[c * pixels + i] -= slope * x[i];
      }
    }
  }

  double accuracy(const Split& split) const {
    size_t correct = 0;
    for (size_t image = 0; image < split.count; ++image) {
      const std::array<float, 10> p = scores(input(split, image));
      correct += std::max_element(p.begin(), p.end()) - p.begin() == split.labels[image];
    }
    return static_cast<double>(correct) / static_cast<double>(split.count);
  }

 private:
  static constexpr size_t pixels = 784;

  std::array<float, pixels> input(const Split& split, size_t image) const {
    std::array<float, pixels> x{};
    for (size_t i = 0; i < pixels; ++i)
      x[i] = (static_cast<float>(split.pixels[image * pixels + i]) / 255 - mean_) / deviation_;
    return x;
  }
  std::array<float, 10> scores(const std::array<float, pixels>& x) const {
    std::array<float, 10> result = bias_;
    for (size_t c = 0; c < 10; ++c)
      for (size_t i = 0; i < pixels; ++i) result[c] += weights_[c * pixels + i] * x[i];
    return result;
  }

  float mean_, deviation_;
  std::vector<float> weights_ = std::vector<float>(10 * pixels);
  std::array<float, 10> bias_{};
};

// A set on which any model succeeds would tell nothing. Softmax regression with Adam on all 60,000 images reaches 75%
// of the test images after 8 epochs; a linear model must stay below 95% and above guessing.
TEST(Digits, AreTooHardForALinearClassifier) {
  const Dataset dataset = draw_digits(0, 12000, 2000);
  LinearClassifier classifier(dataset);
  for (uint64_t epoch = 0; epoch < 4; ++epoch)
    classifier.train_epoch(dataset.train, epoch, 1e-3F / (1 + static_cast<float>(epoch)));
  const double accuracy = classifier.accuracy(dataset.test);
  EXPECT_LT(accuracy, 0.95);
  EXPECT_GT(accuracy, 0.6);
}

TEST(EpochOrder, IsAPermutationThatFollowsSeedAndEpoch) {
  const std::vector<int32_t> order = epoch_order(1000, 3, 0);
  EXPECT_EQ(std::set<int32_t>(order.begin(), order.end()).size(), 1000U);
  EXPECT_EQ(*std::min_element(order.begin(), order.end()), 0);
  EXPECT_EQ(*std::max_element(order.begin(), order.end()), 999);
  EXPECT_EQ(epoch_order(1000, 3, 0), order);
  EXPECT_NE(epoch_order(1000, 3, 1), order);
  EXPECT_NE(epoch_order(1000, 4, 0), order);
  EXPECT_TRUE(epoch_order(0, 3, 0).empty());
  EXPECT_EQ(epoch_order(1, 3, 0), (std::vector<int32_t>{0}));
}

TEST(EpochOrder, EveryPermutationIsAsLikely) {
  std::map<std::vector<int32_t>, int> counts;
  constexpr int epochs = 6000;
  for (uint64_t epoch = 0; epoch < epochs; ++epoch) ++counts[epoch_order(3, 0, epoch)];
  EXPECT_EQ(counts.size(), 6U);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 175);  // six standard deviations
}

}  // namespace
}  // namespace vitcl::data
