// A Vision Transformer whose activations are kept in 16 bits, beside the same in float32.
#include <gtest/gtest.h>

#include <cmath>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/models/vit.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::models {
namespace {

using nn::GradMode;
using nn::Mode;
using nn::PlanOptions;
using nn::Precision;

constexpr PlanOptions float32{.mode = Mode::training, .fuse = false};
constexpr PlanOptions mixed{.mode = Mode::training, .fuse = false, .precision = Precision::mixed};

ViTConfig small() {
  ViTConfig config;
  config.image_size = 12;
  config.patch_size = 4;
  config.classes = 3;
  config.dim = 16;
  config.depth = 2;
  config.heads = 2;
  config.mlp_dim = 24;
  return config;
}

TEST(MixedPrecision, HalvesTheMemoryOfAStep) {
  for (const bool recompute : {false, true}) {
    const auto bytes = [&](Precision precision) {
      const PlanOptions options{.mode = Mode::training, .recompute = recompute, .fuse = false, .precision = precision};
      DeviceCaps caps;
      caps.buffer_alignment = 128;
      return nn::report(vit_training_graph(ViTConfig()), caps, 100, options);
    };
    const nn::GraphReport whole = bytes(Precision::float32), half = bytes(Precision::mixed);
    EXPECT_LT(static_cast<double>(half.saved_bytes), 0.53 * static_cast<double>(whole.saved_bytes));
    EXPECT_LT(static_cast<double>(half.planned_bytes), 0.56 * static_cast<double>(whole.planned_bytes));
    EXPECT_EQ(half.forward_flops, whole.forward_flops);
  }
}

TEST(MixedPrecision, TheLossScaleIsAPowerOfTwo) {
  EXPECT_EQ(nn::loss_scale(1), 1024.0F);
  EXPECT_EQ(nn::loss_scale(100), 65536.0F);
  EXPECT_EQ(nn::loss_scale(128), 131072.0F);
}

class MixedPrecisionTest : public test::DeviceTest {
 protected:
  struct Result {
    std::vector<float> loss;
    nn::NamedTensors gradients;
  };

  /// A step from the same parameters and images. `mean_over`: see nn::CrossEntropy.
  Result step(const PlanOptions& options, size_t mean_over = 0, float gradient_before = 0) {
    const ViTConfig config = small();
    const nn::Graph graph = vit_training_graph(config, {.mean_over = mean_over});
    nn::Parameters parameters(device(), graph.parameters());
    parameters.initialize(queue(), 3);
    nn::Plan plan(graph, parameters, queue(), batch, options);
    Random random(5);
    std::vector<float> images(plan.tensor("images").elements());
    for (float& pixel : images) pixel = random.normal();
    upload<float>(queue(), images, plan.tensor("images"));
    upload<int32_t>(queue(), std::vector<int32_t>{2, 0, 1, 1}, plan.tensor("labels"));
    upload<float>(queue(), std::vector<float>(parameters.gradients().elements(), gradient_before),
                  parameters.gradients());
    plan.run();
    EXPECT_EQ(plan.tensor("logits").dtype(), DType::f32);
    return {download<float>(queue(), plan.tensor("loss")), parameters.save(queue(), parameters.gradients())};
  }

  /// Gradients gather a few dozen roundings to 11 bits on their way, which add up like their square root: 2^-11 * 8,
  /// with room for their growth from layer to layer. A tensor's own norm, or where it cancels that of all.
  static void expect_near(const nn::NamedTensors& got, const nn::NamedTensors& want) {
    constexpr double limit = 0.02, of_all = 1e-4;
    const auto norm = [](const std::vector<float>& a, const std::vector<float>* b) {
      double sum = 0;
      for (size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - (b == nullptr ? 0.0F : (*b)[i]), 2);
      return sum;
    };
    double all = 0;
    for (const auto& [name, values] : want) all += norm(values, nullptr);
    for (const auto& [name, values] : want) {
      const double error = std::sqrt(norm(got.at(name), &values)), size = std::sqrt(norm(values, nullptr));
      EXPECT_LE(error, limit * size + of_all * std::sqrt(all)) << name << " of " << size;
    }
  }

  bool has_half() { return device().caps().fp16; }
  static constexpr size_t batch = 4;
};
INSTANTIATE_TEST_SUITE_P(Devices, MixedPrecisionTest, test::all_devices(), test::device_name);

TEST_P(MixedPrecisionTest, IsRefusedWithoutHalf) {
  if (has_half()) GTEST_SKIP() << "the device has cl_khr_fp16";
  EXPECT_TRUE(test::says(test::error_of<DeviceError>([&] { step(mixed); }),
                         {device().info().name, "cl_khr_fp16", "--precision float32"}));
}

TEST_P(MixedPrecisionTest, LossAndGradientsFollowFloat32) {
  if (!has_half()) GTEST_SKIP() << "the device does not have cl_khr_fp16";
  const Result want = step(float32);
  PlanOptions again = mixed, in_parts = mixed;
  again.recompute = true;
  in_parts.parts = 2;
  for (const PlanOptions& options : {mixed, again, in_parts}) {
    const Result got = step(options);
    for (size_t i = 0; i < batch; ++i) EXPECT_NEAR(got.loss[i], want.loss[i], 0.01F * (1 + want.loss[i]));
    expect_near(got.gradients, want.gradients);
  }
}

// One of the 2^20 samples of a mean has a gradient far below the smallest half.
TEST_P(MixedPrecisionTest, GradientsDoNotUnderflow) {
  if (!has_half()) GTEST_SKIP() << "the device does not have cl_khr_fp16";
  constexpr size_t many = size_t{1} << 20U;
  expect_near(step(mixed, many).gradients, step(float32, many).gradients);
}

TEST_P(MixedPrecisionTest, AddsToGradientsInTheirOwnScale) {
  if (!has_half()) GTEST_SKIP() << "the device does not have cl_khr_fp16";
  PlanOptions adding = mixed;
  adding.parameter_mode = GradMode::accumulate;
  constexpr float before = 0.25F;
  const Result alone = step(mixed), added = step(adding, 0, before);
  for (const auto& [name, values] : alone.gradients) {
    const auto& sums = added.gradients.at(name);
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(sums[i], before + values[i]) << name << " " << i;
  }
}

}  // namespace
}  // namespace vitcl::models
