// Dropout in the whole model, with fixed draws.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "selftest/fill.hpp"
#include "support/devices.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/models/vit.hpp"
#include "vitcl/nn/layers.hpp"
#include "vitcl/nn/plan.hpp"

namespace vitcl::models {
namespace {

constexpr DropRates everything{.head = 0.2F, .positions = 0.1F, .projection = 0.2F, .attention = 0.2F, .path = 0.5F};

ViTConfig tiny() {
  ViTConfig c;
  c.image_size = 6;
  c.patch_size = 2;
  c.classes = 3;
  c.dim = 8;
  c.depth = 3;
  c.heads = 2;
  c.mlp_dim = 12;
  return c;
}

std::vector<std::string> kinds(const nn::Graph& graph) {
  std::vector<std::string> list;
  for (const auto& node : graph.nodes()) list.push_back(node.name + (node.layer ? " " + node.layer->kind() : ""));
  return list;
}

TEST(ViTDropout, NoRateGivesTheSameGraph) {
  EXPECT_EQ(kinds(vit_training_graph(tiny(), {.drop = {}})), kinds(vit_training_graph(tiny())));
}

// As timm places it; the rate of stochastic depth grows from 0 in the first block to the whole in the last.
TEST(ViTDropout, IsWhereItBelongs) {
  const nn::Graph graph = vit_training_graph(tiny(), {.drop = everything});
  const auto drops = [&](const std::string& name, const std::string& behind, float rate) {
    const auto& node = graph.nodes()[graph.find(name)];
    EXPECT_EQ(graph.nodes()[node.inputs[0]].name, behind);
    EXPECT_EQ(graph.nodes()[node.inputs[1]].name, "draws");
    EXPECT_EQ(dynamic_cast<const nn::Dropout&>(*node.layer).options().rate, rate) << name;
    EXPECT_EQ(dynamic_cast<const nn::Dropout&>(*node.layer).options().whole_samples, name.ends_with("path")) << name;
  };
  drops("tokens_dropout", "tokens", 0.1F);
  drops("blocks.0.projection_dropout", "blocks.0.projection", 0.2F);
  drops("blocks.1.attention_drop_path", "blocks.1.projection_dropout", 0.25F);
  drops("blocks.1.gelu_dropout", "blocks.1.gelu", 0.2F);
  drops("blocks.2.mlp_dropout", "blocks.2.mlp_down", 0.2F);
  drops("blocks.2.mlp_drop_path", "blocks.2.mlp_dropout", 0.5F);
  drops("head_dropout", "pool", 0.2F);
  EXPECT_THROW(graph.find("blocks.0.mlp_drop_path"), UsageError);
  EXPECT_TRUE(dynamic_cast<const nn::Attention&>(*graph.nodes()[graph.find("blocks.2.attention")].layer).drops());
}

class ViTDropoutTest : public test::DeviceTest {
 protected:
  static constexpr size_t batch = 5;
  struct Outcome {
    std::vector<float> losses, gradient, values;
    double loss() const { return std::accumulate(losses.begin(), losses.end(), 0.0) / batch; }
  };

  /// At parameters that are moved by `step` along `direction`.
  Outcome run(const nn::PlanOptions& options, const std::vector<float>& direction = {}, double step = 0,
              const DropRates& rates = everything) {
    const nn::Graph graph = vit_training_graph(tiny(), {.label_smoothing = 0.1F, .drop = rates});
    nn::Parameters parameters(device(), graph.parameters());
    parameters.initialize(queue(), 11);
    Outcome outcome;
    outcome.values = download<float>(queue(), parameters.values());
    std::vector<float> moved = outcome.values;
    for (size_t i = 0; i < direction.size(); ++i) moved[i] += static_cast<float>(step) * direction[i];
    upload<float>(queue(), moved, parameters.values());
    nn::Plan plan(graph, parameters, queue(), batch, options);
    test::SplitMix random("images");
    std::vector<float> images(plan.tensor("images").elements());
    for (float& value : images) value = static_cast<float>(random.normal());
    upload<float>(queue(), images, plan.tensor("images"));
    upload<int32_t>(queue(), std::vector<int32_t>{0, 1, 2, 1, 0}, plan.tensor("labels"));
    if (rates.any()) {
      std::vector<int32_t> draws;
      for (int32_t sample = 0; sample < static_cast<int32_t>(batch); ++sample)
        draws.insert(draws.end(), {7, 0, sample, 3});
      upload<int32_t>(queue(), draws, plan.tensor("draws"));
    }
    plan.run();
    outcome.losses = download<float>(queue(), plan.tensor("loss"));
    outcome.gradient = download<float>(queue(), parameters.gradients());
    return outcome;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, ViTDropoutTest, test::all_devices(), test::device_name);

// The masks are constants: the loss changes along the gradient as the gradient says. A step of 0.01 along it has an
// error of its square, and the losses' rounding, 1e-7 / 0.01.
TEST_P(ViTDropoutTest, GradientIsTheDerivative) {
  for (const DropRates& rates : {everything, DropRates{.path = 0.9F}, DropRates{.attention = 0.5F}}) {
    const Outcome at = run({nn::Mode::training}, {}, 0, rates);
    double norm = 0;
    for (const float value : at.gradient) norm = std::hypot(norm, static_cast<double>(value));
    std::vector<float> direction = at.gradient;
    for (float& value : direction) value /= static_cast<float>(norm);
    constexpr double step = 0.01;
    const double ahead = run({nn::Mode::training}, direction, step, rates).loss();
    const double behind = run({nn::Mode::training}, direction, -step, rates).loss();
    EXPECT_GT(norm, 0.01);
    EXPECT_NEAR((ahead - behind) / (2 * step), norm, 2e-3 * norm);
  }
}

TEST_P(ViTDropoutTest, ASecondForwardDrawsTheSame) {
  for (const bool fuse : {true, false}) {
    const Outcome once = run({.mode = nn::Mode::training, .fuse = fuse});
    const Outcome again = run({.mode = nn::Mode::training, .recompute = true, .fuse = fuse});
    EXPECT_EQ(again.losses, once.losses);
    EXPECT_EQ(again.gradient, once.gradient);
  }
}

TEST_P(ViTDropoutTest, EveryRateChangesTheLoss) {
  const Outcome plain = run({nn::Mode::training}, {}, 0, {});
  for (const DropRates& rates : {DropRates{.head = 0.5F}, DropRates{.positions = 0.5F}, DropRates{.projection = 0.5F},
                                 DropRates{.attention = 0.5F}, DropRates{.path = 0.9F}}) {
    EXPECT_NE(run({nn::Mode::training}, {}, 0, rates).losses, plain.losses);
  }
}

}  // namespace
}  // namespace vitcl::models
