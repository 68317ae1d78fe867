// Mixup, cutmix and class weights.
#include "train/mixing.hpp"

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "tiny_run.hpp"
#include "train/class_weights.hpp"
#include "train/single_device.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

using train::MixOptions;
using train::TrainConfig;

constexpr size_t draws = 4000, side = 28;

std::vector<ops::MixEntry> drawn(const MixOptions& options) {
  std::vector<ops::MixEntry> entries;
  for (size_t batch = 0; batch < draws; ++batch) entries.push_back(draw_mix(options, 42, 3, batch, side));
  return entries;
}

/// Within five standard deviations of the binomial distribution.
void expect_share(size_t count, double probability) {
  EXPECT_NEAR(static_cast<double>(count), draws * probability, 5 * std::sqrt(draws * probability * (1 - probability)));
}

// Beta(alpha, alpha) has mean 1/2 and variance v = 1 / (4 (2 alpha + 1)); (x - 1/2)^2 has a deviation below v sqrt(2).
TEST(DrawMix, SharesAreBetaDistributed) {
  for (const double alpha : {0.1, 0.5, 1.0, 2.0, 30.0}) {
    double mean = 0, square = 0;
    for (const ops::MixEntry& mix : drawn({.mixup = alpha})) {
      const double x = static_cast<double>(mix.share) - 0.5;
      EXPECT_LE(std::abs(x), 0.5);
      EXPECT_EQ(mix.blend, mix.share);
      EXPECT_EQ(mix.right, 0);
      mean += x / draws;
      square += x * x / draws;
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(mean, 0, 5 * std::sqrt(variance / draws)) << alpha;
    EXPECT_NEAR(square, variance, 5 * variance * std::sqrt(2.0 / draws)) << alpha;
  }
}

TEST(DrawMix, SharesHaveTheDistributionFunctionOfBeta) {
  const std::vector<std::pair<double, double>> below_a_tenth = {
      {0.5, std::asin(std::sqrt(0.1)) * 2 / std::numbers::pi}, {1, 0.1}, {2, 0.028}};
  for (const auto& [alpha, probability] : below_a_tenth) {
    const std::vector<ops::MixEntry> entries = drawn({.mixup = alpha});
    expect_share(static_cast<size_t>(std::ranges::count_if(entries, [](auto& mix) { return mix.share < 0.1F; })),
                 probability);
  }
}

TEST(DrawMix, ARectangleHasTheShareThatIsLeft) {
  size_t inside = 0;
  double area_sum = 0;
  for (const ops::MixEntry& mix : drawn({.cutmix = 1})) {
    const double width = static_cast<double>(mix.right - mix.left), height = static_cast<double>(mix.bottom - mix.top);
    EXPECT_TRUE(mix.left >= 0 && mix.top >= 0 && mix.right <= side && mix.bottom <= side && width >= 0 && height >= 0);
    EXPECT_EQ(mix.blend, 1);
    EXPECT_NEAR(static_cast<double>(mix.share), 1 - width * height / (side * side), 1e-7);
    area_sum += width * height / (side * side * draws);
    inside += mix.left > 0 && mix.top > 0 && mix.right < side && mix.bottom < side ? 1 : 0;
  }
  EXPECT_GT(inside, draws / 20);
  EXPECT_TRUE(area_sum > 0.25 && area_sum < 0.4) << area_sum;  // half of the image, less what lies outside of it
}

TEST(DrawMix, ProbabilitiesDecideHow) {
  size_t cut = 0, mixed = 0;
  for (const ops::MixEntry& mix : drawn({.mixup = 0.4, .cutmix = 30, .prob = 0.7, .switch_prob = 0.25})) {
    cut += mix.blend == 1 && mix.share < 1 ? 1 : 0;
    mixed += mix.blend < 1 ? 1 : 0;
  }
  expect_share(cut, 0.7 * 0.25);
  expect_share(mixed, 0.7 * 0.75);
  EXPECT_EQ(drawn({.mixup = 1, .prob = 0}), std::vector<ops::MixEntry>(draws));
  EXPECT_EQ(drawn({}), std::vector<ops::MixEntry>(draws));
}

TEST(DrawMix, DiffersFromEpochToEpochAndFromSeedToSeed) {
  const MixOptions options{.mixup = 1};
  EXPECT_NE(draw_mix(options, 0, 0, 0, side), draw_mix(options, 0, 1, 0, side));
  EXPECT_NE(draw_mix(options, 0, 0, 0, side), draw_mix(options, 1, 0, 0, side));
}

TEST(ClassWeights, BalancedOnesAreInverseToTheNumbersOfImages) {
  TrainConfig config = tiny_config();
  config.model.classes = 4;
  config.class_weights = "balanced";
  // As scikit-learn's compute_class_weight("balanced"), which does not know of a class without images.
  EXPECT_EQ(class_weights(config, std::vector<int32_t>{0, 0, 0, 1, 0, 3}), (std::vector<float>{0.5F, 2, 1, 2}));
  config.class_weights = "1,2,0.5";
  EXPECT_TRUE(says(error_of<UsageError>([&] { class_weights(config, {}); }), {"--class-weights", "3", "4"}));
}

class MixingTest : public DeviceTest {
 protected:
  /// The first step's loss, and the gradient of all parameters in one vector.
  std::pair<float, std::vector<float>> first_step(const TrainConfig& config) {
    const data::Dataset dataset = tiny_data();
    train::SingleDevice engine(device(), config, dataset);
    engine.begin_epoch(0, 0, std::vector(engine.cut().steps, config.lr));
    engine.step();
    const float loss = engine.losses(0, 1)[0];
    return {loss, download<float>(queue(), engine.parameters().gradients())};
  }
  void expect_near(const TrainConfig& config, const TrainConfig& other) {
    const auto [loss, gradient] = first_step(config);
    const auto [wanted_loss, wanted] = first_step(other);
    EXPECT_NEAR(loss, wanted_loss, 1e-6F * wanted_loss);
    float largest = 0;
    for (const float value : wanted) largest = std::max(largest, std::abs(value));
    for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(gradient[i], wanted[i], 1e-5F * largest) << i;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, MixingTest, all_devices(), device_name);

TEST_P(MixingTest, EqualClassWeightsChangeNothing) {
  TrainConfig plain = tiny_config(), weighted = tiny_config();
  plain.smoothing = weighted.smoothing = 0.1;
  weighted.class_weights = "3,3,3";
  expect_near(weighted, plain);
  weighted.class_weights = "1,2,3";
  EXPECT_GT(std::abs(first_step(weighted).first - first_step(plain).first), 1e-4F);
}

TEST_P(MixingTest, ABatchThatIsNotMixedIsAsItWas) {
  TrainConfig plain = tiny_config(), mixed = tiny_config();
  plain.augmentation = mixed.augmentation = {.degrees = 30};
  mixed.mix = {.mixup = 1, .prob = 0};
  expect_near(mixed, plain);
  mixed.mix.prob = 1;
  EXPECT_GT(std::abs(first_step(mixed).first - first_step(plain).first), 1e-4F);
}

TEST_P(MixingTest, PartnersAreTheBatchBackwards) {
  const data::Dataset dataset = tiny_data();
  TrainConfig config = tiny_config();
  config.mix.mixup = 1;
  const train::BatchCut cut(dataset.train.count, config.batch_size);
  const train::DeviceSamples samples = train::upload_split(queue(), dataset.train, dataset);
  train::StepState state(device(), dataset.train.count, cut.steps);
  const train::Mixing mixing(queue(), config, samples, cut, state);
  std::vector<int32_t> order(dataset.train.count);
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>((5 * i + 3) % order.size());
  state.write_order(queue(), order);
  mixing.begin_epoch(queue(), 1, order, state);
  const size_t first = 16, batch = 6, step = 2, plane = 64;  // the last, smaller batch
  state.write_table(queue(), std::vector<ops::StepEntry>(cut.steps, {first, 0, 1, 1}));
  state.write_cursor(queue(), step);
  const Tensor images = Tensor::empty(device(), {batch, 1, 8, 8});
  const train::InputChanges changes = input_changes(config);
  load_images(queue(), changes, samples, samples.pixels[0], state, {device(), changes, state, images.shape()}, images);
  const std::vector<float> got = download<float>(queue(), images);
  const float share = draw_mix(config.mix, config.seed, 1, step, 8).share;
  const auto pixel = [&](size_t position, size_t p) {
    const float byte = dataset.train.pixels[static_cast<size_t>(order[first + position]) * plane + p];
    return (byte / 255 - dataset.mean[0]) / dataset.deviation[0];
  };
  for (size_t i = 0; i < got.size(); ++i) {
    const size_t position = i / plane, p = i % plane;
    EXPECT_NEAR(got[i], share * pixel(position, p) + (1 - share) * pixel(batch - 1 - position, p), 1e-5) << i;
  }
}

}  // namespace
}  // namespace vitcl::test
