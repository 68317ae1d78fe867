#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "reference/vit.hpp"
#include "support/devices.hpp"
#include "support/gradients.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::models {
namespace {

using reference::NamedValues;
using reference::Values;

struct Variant {
  std::string name;
  ViTConfig config;
  float label_smoothing = 0;
};
std::ostream& operator<<(std::ostream& out, const Variant& variant) { return out << variant.name; }

ViTConfig tiny() {
  ViTConfig c;
  c.image_size = 5;
  c.patch_size = 2;
  c.pad_value = -0.5F;
  c.channels = 2;
  c.classes = 3;
  c.dim = 6;
  c.depth = 2;
  c.heads = 3;
  c.mlp_dim = 7;
  return c;
}

// Together they hold every choice of the model.
std::vector<Variant> variants() {
  Variant article{"ClsMlpHeadScaleDim", tiny()};
  Variant masked{"MaskedCls", tiny(), 0.1F};
  masked.config.masked = true;
  Variant mean{"MaskedMeanLinearHead", tiny()};
  mean.config.pool = Pool::mean;
  mean.config.class_token = false;
  mean.config.head = Head::linear;
  mean.config.scale = AttentionScale::head_dim;
  mean.config.masked = true;
  Variant timm{"QkvBiasFinalNorm", tiny()};
  timm.config.qkv_bias = timm.config.final_norm = true;
  timm.config.head = Head::linear;
  timm.config.norm_epsilon = 1e-6F;
  Variant average{"ClassTokenMeanPooledNorm", tiny()};
  average.config.pool = Pool::mean;
  average.config.pooled_norm = true;
  Variant fixed{"FixedPositions", tiny()};
  fixed.config.position = Position::sincos;
  return {article, masked, mean, timm, average, fixed};
}

class ViTGradientTest : public ::testing::TestWithParam<std::tuple<test::TestDevice, Variant>> {
 protected:
  static constexpr size_t batch = 3;

  void run(const nn::PlanOptions& options = {nn::Mode::training}) {
    Device& device = test::open_device(std::get<0>(GetParam()));
    const Variant& variant = std::get<1>(GetParam());
    const nn::Graph graph = vit_training_graph(variant.config, variant.label_smoothing);
    nn::Parameters parameters(device, graph.parameters());
    Queue& queue = device.queue();
    parameters.initialize(queue, 11);
    nn::Plan plan(graph, parameters, queue, batch, options);
    planned_bytes_ = plan.planned_bytes();
    Random random(5);
    std::vector<float> images(plan.tensor("images").elements());
    for (float& v : images) v = random.normal();
    const std::vector<int32_t> labels = {2, 0, 1};
    upload<float>(queue, images, plan.tensor("images"));
    upload<int32_t>(queue, labels, plan.tensor("labels"));
    images_.assign(images.begin(), images.end());
    labels_.assign(labels.begin(), labels.end());
    if (variant.config.masked) {
      std::vector<uint8_t> mask(batch * variant.config.patches());
      for (size_t i = variant.config.patches(); i < mask.size(); ++i) mask[i] = random.below(2) != 0;  // image 0: none
      upload<uint8_t>(queue, mask, plan.tensor("mask"));
      mask_.assign(mask.begin(), mask.end());
    }
    plan.run();
    logits_ = download<float>(queue, plan.tensor("logits"));
    gradients_ = parameters.save(queue, parameters.gradients());
    for (const auto& [name, values] : parameters.save(queue, parameters.values())) {
      values_[name].assign(values.begin(), values.end());
    }
    specs_ = parameters.specs();
  }

  double loss() const {
    return reference::ViT(std::get<1>(GetParam()).config, values_)
        .loss(images_, labels_, mask_, static_cast<double>(std::get<1>(GetParam()).label_smoothing));
  }

  // Of one element, by differences of the reference's loss.
  double gradient_of(const std::string& name, size_t index) {
    double& value = values_.at(name)[index];
    const double centre = value;
    const double slope = test::difference(
        [&](double x) {
          value = x;
          return loss();
        },
        centre);
    value = centre;
    return slope;
  }

  NamedValues values_;
  nn::NamedTensors gradients_;
  std::vector<nn::ParameterSpec> specs_;
  Values images_, labels_, mask_;
  std::vector<float> logits_;
  size_t planned_bytes_ = 0;
};

TEST_P(ViTGradientTest, LogitsAndEveryGradientAgreeWithTheReference) {
  run();
  const Values want = reference::ViT(std::get<1>(GetParam()).config, values_).logits(images_, batch, mask_);
  double largest = 0;
  for (const double v : want) largest = std::max(largest, std::fabs(v));
  // A whole network's limits: logits 1e-5 of the largest; a gradient's L2 error 1e-4 of its norm, and 1e-7 of all's.
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(static_cast<double>(logits_[i]), want[i], 1e-5 * largest);
  double all = 0;
  for (const auto& [name, gradient] : gradients_) {
    for (const float g : gradient) all += static_cast<double>(g) * static_cast<double>(g);
  }
  for (const auto& spec : specs_) {
    const auto& gradient = gradients_.at(spec.name);
    if (!spec.trainable) {
      EXPECT_EQ(gradient, std::vector<float>(gradient.size())) << spec.name;
      continue;
    }
    // Every element of small tensors; a stride of large ones, coprime to their sizes.
    const size_t stride = gradient.size() <= 12 ? 1 : 11;
    double error = 0, norm = 0;
    for (size_t i = 0; i < gradient.size(); i += stride) {
      const double expected = gradient_of(spec.name, i);
      error += std::pow(static_cast<double>(gradient[i]) - expected, 2);
      norm += expected * expected;
    }
    EXPECT_LE(std::sqrt(error), 1e-4 * std::sqrt(norm) + 1e-7 * std::sqrt(all)) << spec.name;
  }
}

TEST_P(ViTGradientTest, ComputingActivationsASecondTimeGivesTheSameBits) {
  for (const bool fuse : {true, false}) {
    run({.mode = nn::Mode::training, .fuse = fuse});
    const auto [gradients, logits, bytes] = std::tuple(gradients_, logits_, planned_bytes_);
    run({.mode = nn::Mode::training, .recompute = true, .fuse = fuse});
    EXPECT_EQ(gradients_, gradients) << fuse;
    EXPECT_EQ(logits_, logits) << fuse;
    EXPECT_LT(planned_bytes_, bytes) << fuse;
  }
}

std::string variant_name(const ::testing::TestParamInfo<ViTGradientTest::ParamType>& info) {
  return std::get<0>(info.param).slug + "__" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(Devices, ViTGradientTest,
                         ::testing::Combine(test::all_devices(), ::testing::ValuesIn(variants())), variant_name);

}  // namespace
}  // namespace vitcl::models
