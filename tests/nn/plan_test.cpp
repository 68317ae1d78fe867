#include "vitcl/nn/plan.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"
#include "vitcl/ops/adam.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::nn {
namespace {

// A multilayer perceptron with a residual connection: another network than the ViT, from the same layers.
Graph mlp_classifier(size_t features, size_t hidden, size_t classes) {
  Graph graph;
  const Value input = graph.input("input", {features});
  const Value labels = graph.input("labels", {}, DType::i32);
  const Value x = graph.add<Linear>("first", {input}, features, hidden);
  const Value h = graph.add<Gelu>("gelu", {graph.add<Linear>("second", {x}, hidden, hidden)});
  const Value sum = graph.add<Add>("residual", {x, h});
  const Value logits = graph.add<Linear>("head", {graph.add<LayerNorm>("norm", {sum}, hidden)}, hidden, classes);
  graph.keep(logits, "logits");
  graph.set_loss(graph.add<CrossEntropy>("loss", {logits, labels}));
  return graph;
}

class PlanTest : public test::DeviceTest {
 protected:
  // Random points, labelled by the sign of their first two features.
  void fill(const Plan& plan, size_t first) {
    const size_t features = plan.tensor("input").shape()[1];
    std::vector<float> points;
    std::vector<int32_t> labels;
    for (size_t i = 0; i < plan.batch(); ++i) {
      Random random(1, first + i);
      std::vector<float> point(features);
      for (float& v : point) v = random.normal();
      labels.push_back((point[0] > 0 ? 1 : 0) + (point[1] > 0 ? 2 : 0));
      points.insert(points.end(), point.begin(), point.end());
    }
    upload<float>(queue(), points, plan.tensor("input"));
    upload<int32_t>(queue(), labels, plan.tensor("labels"));
  }

  double mean_loss(const Plan& plan) {
    const auto losses = download<float>(queue(), plan.tensor("loss"));
    return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  }

  std::vector<float> gradients(Graph& graph, Parameters& parameters, size_t batch, size_t first) {
    Plan plan(graph, parameters, queue(), batch, {Mode::training});
    fill(plan, first);
    plan.run();
    return download<float>(queue(), parameters.gradients());
  }

  Graph graph_ = mlp_classifier(5, 12, 4);
};

TEST_P(PlanTest, AnMlpLearns) {
  if (test::is_oclgrind(device().info())) GTEST_SKIP() << "sixty steps take a minute in an interpreter";
  Parameters parameters(device(), graph_.parameters());
  parameters.initialize(queue(), 0);
  const Tensor m = Tensor::empty(device(), parameters.values().shape());
  const Tensor v = Tensor::empty(device(), parameters.values().shape());
  const Tensor cursor = Tensor::empty(device(), {1}, DType::i32);
  const Tensor table = Tensor::empty(device(), {1, 4});
  queue().zero(m.buffer());
  queue().zero(v.buffer());
  queue().zero(cursor.buffer());
  Plan plan(graph_, parameters, queue(), 64, {Mode::training});
  fill(plan, 0);
  double first_loss = 0;
  for (int step = 1; step <= 60; ++step) {
    const ops::StepEntry entry{0, 0.02F, static_cast<float>(1 - std::pow(0.9, step)),
                               static_cast<float>(std::sqrt(1 - std::pow(0.999, step)))};
    queue().write(table.buffer(), &entry, sizeof entry);
    plan.run();
    if (step == 1) first_loss = mean_loss(plan);
    ops::adam(queue(), parameters.gradients(), {}, table, cursor, parameters.values(), m, v);
  }
  EXPECT_GT(first_loss, 1.0) << "four classes, untrained";
  EXPECT_LT(mean_loss(plan), 0.25);
}

TEST_P(PlanTest, TheSameRunGivesTheSameBits) {
  Parameters parameters(device(), graph_.parameters());
  parameters.initialize(queue(), 7);
  EXPECT_EQ(gradients(graph_, parameters, 13, 0), gradients(graph_, parameters, 13, 0));
}

TEST_P(PlanTest, AccumulatingOverHalvesIsTheGradientOfTheWhole) {
  Parameters parameters(device(), graph_.parameters());
  parameters.initialize(queue(), 7);
  const auto whole = gradients(graph_, parameters, 14, 0);
  queue().zero(parameters.gradients().buffer());
  Plan half(graph_, parameters, queue(), 7, {Mode::training, GradMode::accumulate});
  for (const size_t first : {size_t{0}, size_t{7}}) {
    fill(half, first);
    half.run();
  }
  const auto sum = download<float>(queue(), parameters.gradients());
  float largest = 0;
  for (const float g : whole) largest = std::max(largest, std::fabs(g));
  // The same sums in another order: rounding of 14 terms, 14 * 2^-24 of the largest, with room for the layers between.
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(sum[i] / 2, whole[i], 1e-5 * largest) << i;
}

TEST_P(PlanTest, InferenceAgreesWithTrainingAndLeavesGradientsAlone) {
  Parameters parameters(device(), graph_.parameters());
  parameters.initialize(queue(), 3);
  Plan training(graph_, parameters, queue(), 9, {Mode::training});
  fill(training, 20);
  training.run();
  const auto before = download<float>(queue(), parameters.gradients());
  Plan inference(graph_, parameters, queue(), 9, {Mode::inference});
  fill(inference, 20);
  inference.run();
  EXPECT_EQ(download<float>(queue(), inference.tensor("logits")), download<float>(queue(), training.tensor("logits")));
  EXPECT_EQ(download<float>(queue(), parameters.gradients()), before);
  EXPECT_LE(inference.planned_bytes(), training.planned_bytes());
}

TEST_P(PlanTest, ReplayingAllocatesNothing) {
  Parameters parameters(device(), graph_.parameters());
  parameters.initialize(queue(), 3);
  Plan plan(graph_, parameters, queue(), 4, {Mode::training});
  fill(plan, 0);
  plan.run();
  queue().finish();
  const size_t bytes = device().allocated_bytes(), objects = live_opencl_objects();
  for (int i = 0; i < 5; ++i) plan.run();
  queue().finish();
  EXPECT_EQ(device().allocated_bytes(), bytes);
  EXPECT_EQ(live_opencl_objects(), objects);
}

TEST_P(PlanTest, ABatchThatDoesNotFitSaysWhichWould) {
  Parameters parameters(device(), graph_.parameters());
  const size_t fits = largest_batch(graph_, device().caps(), {Mode::training});
  const size_t recomputed = largest_batch(graph_, device().caps(), {.mode = Mode::training, .recompute = true});
  try {
    const Plan plan(graph_, parameters, queue(), fits + 1, {Mode::training});
    FAIL() << "a batch of " << plan.batch() << " can't fit";
  } catch (const DeviceError& error) {
    EXPECT_TRUE(test::says(error.what(), {std::to_string(fits), std::to_string(recomputed)}));
  }
}

TEST_P(PlanTest, ParametersLoadWhatTheySaved) {
  Parameters a(device(), graph_.parameters()), b(device(), graph_.parameters());
  a.initialize(queue(), 1);
  b.initialize(queue(), 2);
  EXPECT_NE(a.save(queue(), a.values()), b.save(queue(), b.values()));
  b.load(queue(), a.save(queue(), a.values()));
  EXPECT_EQ(a.save(queue(), a.values()), b.save(queue(), b.values()));
}

TEST_P(PlanTest, LoadingChangesNothingWhereANameOrSizeIsWrong) {
  Parameters parameters(device(), graph_.parameters());
  parameters.initialize(queue(), 1);
  const NamedTensors good = parameters.save(queue(), parameters.values());
  NamedTensors missing = good, unknown = good, resized = good;
  missing.erase("head.bias");
  unknown["tail.bias"] = {1};
  resized["head.bias"].push_back(0);
  EXPECT_THROW(parameters.load(queue(), missing), StorageError);
  EXPECT_THROW(parameters.load(queue(), unknown), StorageError);
  EXPECT_THROW(parameters.load(queue(), resized), StorageError);
  EXPECT_EQ(parameters.save(queue(), parameters.values()), good);
}

TEST_P(PlanTest, InitialisationIsPyTorchs) {
  Graph graph;
  graph.add<Linear>("wide", {graph.input("x", {100})}, size_t{100}, size_t{50});
  Parameters parameters(device(), graph.parameters());
  parameters.initialize(queue(), 5);
  const auto tensors = parameters.save(queue(), parameters.values());
  const auto& weight = tensors.at("wide.weight");
  double square = 0;
  for (const float w : weight) {
    EXPECT_LE(std::fabs(w), 0.1F);  // 1 / sqrt(100)
    square += static_cast<double>(w) * static_cast<double>(w);
  }
  // The variance of a uniform number in ±0.1 is 0.1² / 3; over 5000 draws it varies by 0.9 / sqrt(5000), 1.3%.
  EXPECT_NEAR(square / static_cast<double>(weight.size()) / (0.01 / 3), 1.0, 0.06);
}

INSTANTIATE_TEST_SUITE_P(Devices, PlanTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl::nn
