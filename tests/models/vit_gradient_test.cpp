#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <tuple>

#include "selftest/reference/vit.hpp"
#include "selftest/tiny_model.hpp"
#include "support/devices.hpp"
#include "support/gradients.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::models {
namespace {

using reference::NamedValues;
using reference::Values;
using selftest::tiny_model;

struct Variant {
  std::string name;
  ViTConfig config;
  float label_smoothing = 0;
};
std::ostream& operator<<(std::ostream& out, const Variant& variant) { return out << variant.name; }

// Together they hold every choice of the model.
std::vector<Variant> variants() {
  Variant article{"ClsMlpHeadScaleDim", tiny_model()};
  Variant masked{"MaskedCls", tiny_model(), 0.1F};
  masked.config.masked = true;
  Variant mean{"MaskedMeanLinearHead", tiny_model()};
  mean.config.pool = Pool::mean;
  mean.config.class_token = false;
  mean.config.head = Head::linear;
  mean.config.scale = AttentionScale::head_dim;
  mean.config.masked = true;
  Variant timm{"QkvBiasFinalNorm", tiny_model()};
  timm.config.qkv_bias = timm.config.final_norm = true;
  timm.config.head = Head::linear;
  timm.config.norm_epsilon = 1e-6F;
  Variant average{"ClassTokenMeanPooledNorm", tiny_model()};
  average.config.pool = Pool::mean;
  average.config.pooled_norm = true;
  Variant fixed{"FixedPositions", tiny_model()};
  fixed.config.position = Position::sincos;
  Variant convolutions{"StemOfConvolutions", tiny_model()};
  convolutions.config.stem = Stem::convolutions;
  convolutions.config.stem_channels = 3;
  convolutions.config.stem_depth = 2;
  convolutions.config.patch_size = 4;
  convolutions.config.pad_value = -0.5F;
  return {article, masked, mean, timm, average, fixed, convolutions};
}

// The reference's gradient by differences of its loss.
class ReferenceViTTest : public ::testing::TestWithParam<Variant> {};

TEST_P(ReferenceViTTest, GradientIsTheDerivative) {
  const ViTConfig& c = GetParam().config;
  const auto smoothing = static_cast<double>(GetParam().label_smoothing);
  constexpr size_t batch = 2;
  Random random(7);
  const auto drawn = [&](size_t count, double deviation) {
    Values values(count);
    for (double& value : values) value = deviation * static_cast<double>(random.normal());
    return values;
  };
  NamedValues parameters;
  for (const auto& spec : vit_training_graph(c).parameters()) parameters[spec.name] = drawn(spec.shape.elements(), 0.3);
  const Values images = drawn(batch * c.channels * c.image_size * c.image_size, 1), labels = {2, 0};
  Values mask(c.masked ? batch * c.patches() : 0, 1);
  for (size_t i = 0; i < mask.size(); i += 2) mask[i] = 0;
  const reference::ViT model(c, parameters);
  const NamedValues gradients = model.gradients(images, labels, mask, smoothing);
  for (auto& [name, values] : parameters) {
    // Every element of small tensors; a stride of large ones, coprime to their sizes.
    const size_t stride = values.size() <= 12 ? 1 : 11;
    for (size_t i = 0; i < values.size(); i += stride) {
      const double centre = values[i];
      const auto along = [&, &value = values[i]](double x) {
        value = x;
        return model.loss(images, labels, mask, smoothing);
      };
      const double slope = test::difference(along, centre);
      values[i] = centre;
      EXPECT_NEAR(gradients.at(name)[i], slope, 1e-6 * (1 + std::abs(slope))) << name << " " << i;
    }
  }
}

std::string reference_name(const ::testing::TestParamInfo<Variant>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Variants, ReferenceViTTest, ::testing::ValuesIn(variants()), reference_name);

class ViTGradientTest : public ::testing::TestWithParam<std::tuple<test::TestDevice, Variant>> {
 protected:
  static constexpr size_t batch = 3;

  void run(const nn::PlanOptions& options = {nn::Mode::training}) {
    Device& device = test::open_device(std::get<0>(GetParam()));
    const Variant& variant = std::get<1>(GetParam());
    const nn::Graph graph = vit_training_graph(variant.config, {.label_smoothing = variant.label_smoothing});
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

  reference::ViT reference() const { return {std::get<1>(GetParam()).config, values_}; }
  double smoothing() const { return static_cast<double>(std::get<1>(GetParam()).label_smoothing); }

  NamedValues values_;
  nn::NamedTensors gradients_;
  std::vector<nn::ParameterSpec> specs_;
  Values images_, labels_, mask_;
  std::vector<float> logits_;
  size_t planned_bytes_ = 0;
};

TEST_P(ViTGradientTest, LogitsAndEveryGradientAgreeWithTheReference) {
  run();
  const Values want = reference().logits(images_, batch, mask_);
  const NamedValues wanted = reference().gradients(images_, labels_, mask_, smoothing());
  double largest = 0;
  for (const double v : want) largest = std::max(largest, std::fabs(v));
  // A whole network's limits: logits 1e-5 of the largest; a gradient's L2 error 1e-4 of its norm, and 1e-7 of all's.
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(static_cast<double>(logits_[i]), want[i], 1e-5 * largest);
  double all = 0;
  for (const auto& [name, gradient] : wanted)
    all += std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0);
  for (const auto& spec : specs_) {
    const auto& gradient = gradients_.at(spec.name);
    if (!spec.trainable) {
      EXPECT_EQ(gradient, std::vector<float>(gradient.size())) << spec.name;
      continue;
    }
    const Values& expected = wanted.at(spec.name);
    double error = 0, norm = 0;
    for (size_t i = 0; i < gradient.size(); ++i) {
      error += std::pow(static_cast<double>(gradient[i]) - expected[i], 2);
      norm += expected[i] * expected[i];
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
