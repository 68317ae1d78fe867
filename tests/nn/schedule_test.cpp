#include "nn/schedule.hpp"

#include <gtest/gtest.h>

#include "schedules.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::nn {
namespace {

TEST(Schedule, ABranchedValueIsFirstOverwrittenThenAddedTo) {
  const Graph graph = two_branches();
  const Schedule s = make_schedule(graph, caps(), 3, {Mode::training});
  EXPECT_EQ(node(graph, s, "b").input_gradients[0].mode, GradMode::overwrite);
  EXPECT_EQ(node(graph, s, "a").input_gradients[0].mode, GradMode::accumulate);
  EXPECT_EQ(node(graph, s, "a").input_gradients[0].slot, node(graph, s, "b").input_gradients[0].slot);
}

TEST(Schedule, InputsGetNoGradient) {
  const Graph graph = two_branches();
  const Schedule s = make_schedule(graph, caps(), 3, {Mode::training});
  EXPECT_FALSE(node(graph, s, "x").input_gradients[0].slot);
  EXPECT_FALSE(node(graph, s, "input").runs_backward);
  EXPECT_TRUE(node(graph, s, "x").runs_backward);
}

TEST(Schedule, ASumSharesItsGradientWithItsSummands) {
  const Graph graph = two_branches();
  const Schedule s = make_schedule(graph, caps(), 3, {Mode::training});
  EXPECT_EQ(node(graph, s, "a").gradient, node(graph, s, "sum").gradient);
  EXPECT_EQ(node(graph, s, "b").gradient, node(graph, s, "sum").gradient);
  EXPECT_FALSE(node(graph, s, "sum").input_gradients[0].slot) << "nothing is left to compute";
}

TEST(Schedule, AValueAddedToItselfDoesNotShare) {
  Graph graph;
  const Value input = graph.input("input", {4});
  const Value labels = graph.input("labels", {}, DType::i32);
  const Value x = graph.add<Linear>("x", {input}, size_t{4}, size_t{4});
  const Value sum = graph.add<Add>("sum", {x, x});
  graph.set_loss(graph.add<CrossEntropy>("loss", {sum, labels}));
  const Schedule s = make_schedule(graph, caps(), 3, {Mode::training});
  EXPECT_NE(node(graph, s, "x").gradient, node(graph, s, "sum").gradient);
  EXPECT_EQ(node(graph, s, "sum").input_gradients[0].mode, GradMode::overwrite);
  EXPECT_EQ(node(graph, s, "sum").input_gradients[1].mode, GradMode::accumulate);
}

// sum = x + skip, where skip's gradient is still unread when y, which reads x too, adds to x's gradient.
TEST(Schedule, SummandsDoNotShareWhereOneIsAddedToWhileAnotherIsUnread) {
  Graph graph;
  const Value input = graph.input("input", {4});
  const Value labels = graph.input("labels", {}, DType::i32);
  const Value skip = graph.add<Linear>("skip", {input}, size_t{4}, size_t{4});
  const Value x = graph.add<Linear>("x", {input}, size_t{4}, size_t{4});
  const Value y = graph.add<Gelu>("y", {x});
  const Value sum = graph.add<Add>("sum", {x, skip});
  const Value all = graph.add<Add>("all", {sum, y});
  graph.set_loss(graph.add<CrossEntropy>("loss", {all, labels}));
  const Schedule s = make_schedule(graph, caps(), 3, {Mode::training});
  EXPECT_NE(node(graph, s, "x").gradient, node(graph, s, "skip").gradient);
}

TEST(Schedule, TheResidualStreamOfAViTHasOneGradient) {
  const Graph graph = models::vit_training_graph(models::preset("article"));
  const Schedule s = make_schedule(graph, caps(), 10, {Mode::training});
  EXPECT_EQ(node(graph, s, "blocks.0.attention_residual").gradient, node(graph, s, "blocks.5.mlp_residual").gradient);
  EXPECT_EQ(node(graph, s, "tokens").gradient, node(graph, s, "blocks.5.mlp_residual").gradient);
}

TEST(Schedule, InferenceNeedsFarLessMemoryThanTraining) {
  const Graph graph = models::vit_training_graph(models::preset("article"));
  const size_t training = make_schedule(graph, caps(), 100, {Mode::training}).memory.total;
  const size_t inference = make_schedule(graph, caps(), 100, {Mode::inference}).memory.total;
  EXPECT_LT(inference * 4, training);
}

TEST(Schedule, TheReportKnowsTheArticlesModel) {
  const Graph graph = models::vit_training_graph(models::preset("article"));
  const GraphReport r = report(graph, caps(), 100, {.mode = Mode::training, .fuse = false});
  EXPECT_EQ(r.parameters, 213642U);
  double products = 0;
  for (const auto& row : r.nodes) products += row.kind == "Linear" || row.kind == "Attention" ? row.forward_flops : 0;
  // Per image and block: 17 rows times (64 x 192 + 64 x 64 + 2 x 64 x 128) and 2 x 17 x 17 x 64 multiply-adds; then the
  // patches, 16 x 49 x 64, and the head, 64 x 128 + 128 x 10.
  EXPECT_EQ(products, 100 * 2.0 * (6 * (17 * 32768 + 2 * 17 * 17 * 64) + 16 * 49 * 64 + 64 * 128 + 128 * 10));
  EXPECT_LT(r.planned_bytes, r.unplanned_bytes);
}

TEST(Schedule, LargestBatchIsTheLastThatFits) {
  const Graph graph = models::vit_training_graph(models::preset("article"));
  DeviceCaps small = caps();
  small.memory_bytes = small.max_allocation = size_t{20} << 20;
  const size_t batch = largest_batch(graph, small, {Mode::training});
  EXPECT_LE(report(graph, small, batch, {Mode::training}).planned_bytes, small.max_allocation);
  EXPECT_GT(report(graph, small, batch + 1, {Mode::training}).planned_bytes, small.max_allocation);
  small.max_allocation = 1000;
  EXPECT_EQ(largest_batch(graph, small, {Mode::training}), 0U);
}

TEST(Schedule, ErrorsNameTheNode) {
  Graph graph;
  const Value input = graph.input("input", {5});
  graph.add<Linear>("head", {input}, size_t{4}, size_t{2});
  try {
    make_schedule(graph, caps(), 1, {Mode::inference});
    FAIL() << "5 features do not fit a layer for 4";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("head: [linear]"), std::string::npos) << error.what();
  }
  EXPECT_THROW(make_schedule(graph, caps(), 1, {Mode::training}), UsageError) << "no loss";
  EXPECT_THROW(make_schedule(graph, caps(), 0, {Mode::inference}), UsageError);
}

TEST(Graph, RefusesTwoNodesOfOneName) {
  Graph graph;
  graph.input("x", {1});
  EXPECT_THROW(graph.input("x", {1}), UsageError);
  EXPECT_THROW(static_cast<void>(graph.find("y")), UsageError);
}

}  // namespace
}  // namespace vitcl::nn
