// The rewriting of graphs, without a device; fused_plan_test.cpp runs what comes out.
#include "nn/fuse.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "blocks.hpp"
#include "schedules.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::nn {
namespace {

DeviceCaps gpu() {
  DeviceCaps device = caps();
  device.type = DeviceType::gpu;
  return device;
}

size_t count(const Graph& graph, const std::string& kind) {
  return static_cast<size_t>(
      std::ranges::count_if(graph.nodes(), [&](const auto& node) { return node.layer && node.layer->kind() == kind; }));
}
size_t blocks(const Graph& graph) { return count(fuse(graph, caps()), "EncoderBlock"); }

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> list;
  for (const auto& node : graph.nodes()) list.push_back(node.name);
  return list;
}

// The shape of a node's value in a batch of 2.
Shape shape_of(const Graph& graph, const std::string& name) {
  return node(graph, make_schedule(graph, caps(), 2, {.mode = Mode::inference}), name).shape;
}

TEST(Fuse, EncoderBlocksBecomeOneLayerAndThePoolGoesIntoTheLast) {
  models::ViTConfig config;
  config.depth = 2;
  const Graph graph = fuse(models::vit_training_graph(config), caps());
  const std::vector<std::string> want = {"images",
                                         "patches",
                                         "patch_embedding",
                                         "tokens",
                                         "blocks.0.mlp_residual",
                                         "blocks.1.mlp_residual",
                                         "head_up",
                                         "head_gelu",
                                         "head_down",
                                         "labels",
                                         "loss"};
  EXPECT_EQ(names(graph), want);
  EXPECT_EQ(count(graph, "EncoderBlock"), 2U);
  EXPECT_EQ(shape_of(graph, "blocks.0.mlp_residual"), (Shape{2, 17, 64}));
  EXPECT_EQ(shape_of(graph, "blocks.1.mlp_residual"), (Shape{2, 64}));
}

TEST(Fuse, ParametersStayAsTheyWere) {
  models::ViTConfig with_bias;
  with_bias.qkv_bias = with_bias.final_norm = true;
  for (const models::ViTConfig& config : {models::ViTConfig{}, with_bias}) {
    for (const DeviceCaps& device : {caps(), gpu()}) {
      const Graph plain = models::vit_training_graph(config);
      const auto want = plain.parameters(), got = fuse(plain, device).parameters();
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < want.size(); ++i) {
        EXPECT_EQ(got[i].name, want[i].name);
        EXPECT_EQ(got[i].shape, want[i].shape) << want[i].name;
        EXPECT_EQ(got[i].init, want[i].init) << want[i].name;
        EXPECT_EQ(got[i].scale, want[i].scale) << want[i].name;
        EXPECT_EQ(got[i].trainable, want[i].trainable) << want[i].name;
      }
    }
  }
}

TEST(Fuse, KeepsWhatTheGraphKeeps) {
  Graph plain = models::vit_training_graph(models::preset("article"));
  plain.keep({plain.find("blocks.1.mlp_residual")});
  plain.keep({plain.find("pool")}, "features");
  const Graph graph = fuse(plain, caps());
  std::vector<std::string> want, got;
  for (const auto& kept : plain.kept()) want.push_back(kept.name);
  for (const auto& kept : graph.kept()) got.push_back(kept.name);
  EXPECT_TRUE(std::ranges::is_permutation(got, want));
  EXPECT_EQ(graph.nodes().at(graph.loss().value()).name, "loss");
  EXPECT_EQ(count(graph, "EncoderBlock"), 6U) << "a block's end may be kept";
}

TEST(Fuse, ABlockWhoseInsideIsKeptOrReadStays) {
  for (const std::string inner : inner_names) {
    Graph kept = one_block(), read = one_block();
    EXPECT_EQ(blocks(kept), 1U);
    kept.keep({kept.find("block." + inner)});
    EXPECT_EQ(blocks(kept), 0U) << inner << " is kept";
    read.add<Gelu>("reader", {Value{read.find("block." + inner)}});
    EXPECT_EQ(blocks(read), 0U) << inner << " has another reader";
  }
  Graph whole = one_block();
  whole.add<Gelu>("reader", {Value{whole.find("block.sum")}});
  whole.keep({whole.find("embedding")});
  EXPECT_EQ(blocks(whole), 1U) << "x and the end may be read and kept";
}

TEST(Fuse, TheOrderOfSummandsDoesNotMatter) {
  for (const bool attention : {false, true}) {
    for (const bool mlp : {false, true}) {
      EXPECT_EQ(blocks(one_block({.swap_attention_sum = attention, .swap_mlp_sum = mlp})), 1U);
    }
  }
}

TEST(Fuse, WhatIsNoBlockStays) {
  EXPECT_EQ(blocks(one_block({.mlp_epsilon = 1e-6F})), 0U) << "two epsilons";
  EXPECT_EQ(blocks(one_block({.projection_bias = false})), 0U);
  EXPECT_EQ(blocks(one_block({.up_bias = false})), 0U);
  EXPECT_EQ(blocks(one_block({.down_bias = false})), 0U);
  EXPECT_EQ(blocks(one_block({.norm_of_sum = false})), 0U) << "the MLP reads x";
  EXPECT_EQ(count(fuse(one_block(), gpu()), "EncoderBlock"), 0U) << "the device refuses";
  EXPECT_EQ(blocks(models::vit_graph(models::preset("tiny"))), 0U) << "197 tokens x 64 are too many";
}

TEST(Fuse, OnlyTheBlocksThatCanBeAreFused) {
  Graph graph = models::vit_training_graph(models::preset("article"));
  graph.keep({graph.find("blocks.2.gelu")});
  const Graph fused = fuse(graph, caps());
  EXPECT_EQ(count(fused, "EncoderBlock"), 5U);
  EXPECT_EQ(count(fused, "Attention"), 1U);
  EXPECT_NO_THROW(fused.find("blocks.2.attention"));
}

TEST(Fuse, BlocksThatDropElementsStayPlain) {
  models::ViTConfig config;
  config.depth = 3;
  const auto fused = [&](const models::DropRates& drop) {
    return blocks(models::vit_training_graph(config, {.drop = drop}));
  };
  EXPECT_EQ(fused({.head = 0.1F, .positions = 0.1F}), 3U);
  EXPECT_EQ(fused({.projection = 0.1F}), 0U);
  EXPECT_EQ(fused({.projection = 0.1F, .attention = 0.1F, .path = 0.1F}), 0U);
}

// The first block of three drops no path.
TEST(Fuse, StochasticDepthIsPartOfTheBlock) {
  models::ViTConfig config;
  config.depth = 3;
  config.masked = true;
  const Graph graph = fuse(models::vit_training_graph(config, {.drop = {.path = 0.1F}}), caps());
  EXPECT_EQ(count(graph, "EncoderBlock"), 3U);
  EXPECT_EQ(count(graph, "DropPath"), 0U);
  EXPECT_EQ(graph.nodes()[graph.find("blocks.0.mlp_residual")].inputs.size(), 2U) << "nothing is dropped";
  const auto& inputs = graph.nodes()[graph.find("blocks.1.mlp_residual")].inputs;
  ASSERT_EQ(inputs.size(), 3U);
  EXPECT_EQ(graph.nodes()[inputs[1]].name, "mask");
  EXPECT_EQ(graph.nodes()[inputs[2]].name, "draws");
}

TEST(Fuse, DropoutOfProbabilitiesIsPartOfTheBlock) {
  models::ViTConfig config;
  config.depth = 2;
  for (const bool masked : {false, true}) {
    config.masked = masked;
    for (const float path : {0.0F, 0.1F}) {
      const Graph graph = fuse(models::vit_training_graph(config, {.drop = {.attention = 0.1F, .path = path}}), caps());
      EXPECT_EQ(count(graph, "EncoderBlock"), 2U);
      EXPECT_EQ(count(graph, "DropPath"), 0U);
      const auto& inputs = graph.nodes()[graph.find("blocks.1.mlp_residual")].inputs;
      ASSERT_EQ(inputs.size(), masked ? 3U : 2U);
      EXPECT_EQ(graph.nodes()[inputs.back()].name, "draws");
      EXPECT_EQ(graph.nodes()[inputs[1]].name, masked ? "mask" : "draws");
    }
  }
}

// Draws are the sample's, not a row's.
TEST(Fuse, APoolMovesUpThroughDropout) {
  const Graph graph =
      fuse(models::vit_training_graph({}, {.drop = {.head = 0.1F, .projection = 0.1F, .path = 0.1F}}), caps());
  for (const std::string name : {"head_dropout", "blocks.5.mlp_dropout", "blocks.5.attention_drop_path"}) {
    EXPECT_EQ(shape_of(graph, name).rank(), 2U) << name;
    EXPECT_EQ(graph.nodes()[graph.nodes()[graph.find(name)].inputs[1]].name, "draws");
  }
  EXPECT_EQ(shape_of(graph, "blocks.4.mlp_dropout").rank(), 3U);
}

TEST(Fuse, AMaskGoesToTheBlock) {
  models::ViTConfig config;
  config.masked = true;
  const Graph graph = fuse(models::vit_graph(config), caps());
  const auto& inputs = graph.nodes()[graph.find("blocks.3.mlp_residual")].inputs;
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(graph.nodes()[inputs[1]].name, "mask");
}

TEST(Fuse, AGraphWithNothingToFuseStaysAsItWas) {
  models::ViTConfig mean;
  mean.pool = models::Pool::mean;
  for (const Graph& graph : {two_branches(), models::vit_training_graph(mean)}) {
    const Graph same = fuse(graph, gpu());
    EXPECT_EQ(names(same), names(graph));
    for (size_t i = 0; i < graph.nodes().size(); ++i) EXPECT_EQ(same.nodes()[i].layer, graph.nodes()[i].layer);
  }
}

TEST(Fuse, ShapesThatDoNotFitAreNamed) {
  Graph graph;
  graph.add<Linear>("head", {graph.input("x", {5})}, size_t{4}, size_t{3});
  EXPECT_THROW(fuse(graph, caps()), ShapeError);
}

// Where blocks can't be fused, the pool goes up to the last layer that mixes rows: attention, and the block's input.
TEST(Fuse, APoolMovesUpThroughRowWiseLayers) {
  const Graph plain = models::vit_training_graph(models::preset("article")), graph = fuse(plain, gpu());
  EXPECT_EQ(shape_of(graph, "blocks.5.attention"), (Shape{2, 17, 64}));
  EXPECT_EQ(shape_of(graph, "blocks.4.mlp_residual"), (Shape{2, 17, 64}));
  const GraphReport before = report(plain, gpu(), 2, {.mode = Mode::training, .fuse = false});
  const GraphReport after = report(plain, gpu(), 2, {.mode = Mode::training});
  const auto row = [](const GraphReport& report, const std::string& name) {
    return *std::ranges::find(report.nodes, name, &NodeReport::name);
  };
  for (const std::string layer : {"projection", "attention_residual", "mlp_norm", "mlp_up", "gelu", "mlp_down"}) {
    const NodeReport all = row(before, "blocks.5." + layer), first = row(after, "blocks.5." + layer);
    EXPECT_EQ(first.output.rank(), 2U) << layer;
    EXPECT_EQ(all.forward_flops, 17 * first.forward_flops) << layer;
    EXPECT_EQ(all.backward_flops, 17 * first.backward_flops) << layer;
  }
  EXPECT_LT(after.planned_bytes, before.planned_bytes);
}

// Of the last block only keys and values are needed for all rows: of its 24 dim² multiplications a row (mlp_dim is
// 2 dim here, 4 + 4 + 8 dim² forward) 4 dim² stay. The rest falls to a 17th.
TEST(Fuse, AFusedBlockLeavesOutRowsToo) {
  const Graph graph = models::vit_graph(models::preset("article"));
  const auto flops = [&](const DeviceCaps& device, bool fused) {
    return report(graph, device, 1, {.mode = Mode::inference, .fuse = fused}).forward_flops;
  };
  const double row = 2 * 64 * 64, attention = 4 * 64 * 17;
  EXPECT_GE(flops(caps(), false) - flops(caps(), true), 16 * ((1 + 1 + 4) * row + attention));
  EXPECT_LT(flops(caps(), true), flops(gpu(), true));
}

Graph two_pools(bool keep_rows, bool mean) {
  return classifier([&](Graph& graph, Value x) {
    const Value rows = graph.add<Gelu>("rows", {graph.add<Linear>("wide", {x}, block_dim, block_dim)});
    if (keep_rows) graph.keep(rows);
    const Value first = graph.add<ClsPool>("first", {rows});
    const Value second = mean ? graph.add<MeanPool>("second", {rows}) : graph.add<ClsPool>("second", {rows});
    graph.keep(second);
    return graph.add<Add>("both", {first, second});
  });
}

TEST(Fuse, SeveralPoolsOfAValueBecomeOne) {
  const Graph graph = fuse(two_pools(false, false), caps());
  EXPECT_EQ(count(graph, "ClsPool"), 1U);
  EXPECT_EQ(shape_of(graph, "rows"), (Shape{2, 6}));
  EXPECT_EQ(graph.nodes()[graph.find("both")].inputs, std::vector(2, graph.find("rows")));
  EXPECT_TRUE(graph.keeps(graph.find("rows"))) << "as \"second\"";
}

TEST(Fuse, APoolStaysBehindWhatIsKeptOrReadByOthers) {
  const std::pair<bool, bool> reasons[] = {{true, false}, {false, true}};
  for (const auto& [keep, mean] : reasons) {
    const Graph plain = two_pools(keep, mean);
    EXPECT_EQ(names(fuse(plain, caps())), names(plain)) << (keep ? "kept" : "read by a MeanPool");
  }
  Graph inside = one_block();
  inside.keep({inside.find("block.norm2")});
  const Graph graph = fuse(inside, caps());
  EXPECT_EQ(shape_of(graph, "block.norm2"), (Shape{2, block_tokens, block_dim}));
  EXPECT_EQ(shape_of(graph, "block.up"), (Shape{2, 7}));
}

// A layer that reads first rows of two values that can't be made without the others.
TEST(Fuse, APoolMovesUpToTwoValues) {
  const Graph graph = fuse(classifier([](Graph& g, Value x) {
                             const Value qkv = g.add<Linear>("qkv", {x}, block_dim, 3 * block_dim);
                             const Value a = g.add<Attention>("a", {qkv}, size_t{2}, 1.0F);
                             const Value b = g.add<Attention>("b", {qkv}, size_t{3}, 1.0F);
                             return g.add<ClsPool>("pool", {g.add<Add>("sum", {a, b})});
                           }),
                           caps());
  EXPECT_EQ(count(graph, "ClsPool"), 2U);
  EXPECT_EQ(shape_of(graph, "sum"), (Shape{2, 6}));
}

TEST(Fuse, FusingTwiceChangesNothingMore) {
  for (const DeviceCaps& device : {caps(), gpu()}) {
    const Graph once = fuse(models::vit_training_graph(models::preset("article")), device);
    EXPECT_EQ(names(fuse(once, device)), names(once));
  }
}

}  // namespace
}  // namespace vitcl::nn
