#include "nn/recompute.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "nn/fuse.hpp"
#include "schedules.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::nn {
namespace {

std::vector<std::string> names_of(const Graph& graph, const std::vector<size_t>& ids) {
  std::vector<std::string> names;
  for (const size_t id : ids) names.push_back(graph.nodes()[id].name);
  return names;
}

// Plays a schedule on its arena: whoever reads a slot must find there what was written to it.
class ArenaPlayer {
 public:
  explicit ArenaPlayer(const Schedule& schedule) : schedule_(schedule) {}

  void write(Slot slot) {
    std::erase_if(held_, [&](Slot other) { return other != slot && overlap(slot, other); });
    held_.insert(slot);
  }
  void write(const Results& results) {
    write(*results.value);
    for (const Slot slot : results.saved) write(slot);
  }
  void read(Slot slot, const std::string& what) const { EXPECT_TRUE(held_.contains(slot)) << what; }
  void read(const Results& results, const std::string& what) const {
    if (results.value) read(*results.value, what);
  }

 private:
  bool overlap(Slot a, Slot b) const {
    const auto begin = [&](Slot s) { return schedule_.memory.offsets[s]; };
    return begin(a) < begin(b) + schedule_.slots[b].bytes && begin(b) < begin(a) + schedule_.slots[a].bytes;
  }
  const Schedule& schedule_;
  std::set<Slot> held_;
};

void play_forward(const Graph& graph, const Schedule& s, const Step& step, ArenaPlayer& arena) {
  const bool first = step.pass == Pass::forward;
  const auto& node = s.nodes[step.node];
  if (step.workspace) arena.write(*step.workspace);
  arena.write(first ? node.forward : node.backward);
  for (const size_t m : graph.nodes()[step.node].inputs) {
    arena.read(first ? s.nodes[m].forward : s.nodes[m].backward, graph.nodes()[step.node].name);
  }
}

void play_backward(const Graph& graph, const Schedule& s, const Step& step, ArenaPlayer& arena) {
  const auto& node = s.nodes[step.node];
  const auto& [name, inputs] = std::tie(graph.nodes()[step.node].name, graph.nodes()[step.node].inputs);
  if (step.workspace) arena.write(*step.workspace);
  for (const InputGradient& gradient : node.input_gradients) {
    if (gradient.slot && gradient.mode == GradMode::accumulate) arena.read(*gradient.slot, name + " adds");
    if (gradient.slot) arena.write(*gradient.slot);
  }
  if (node.gradient) arena.read(*node.gradient, name + " backward, its gradient");
  for (const Slot slot : node.backward.saved) arena.read(slot, name + " backward, saved");
  if (node.plan.backward_reads_output) arena.read(node.backward, name + " backward, its output");
  for (size_t k = 0; k < inputs.size() && node.plan.backward_reads_inputs; ++k) {
    arena.read(s.nodes[inputs[k]].backward, name + " backward, an input");
  }
}

void expect_everything_read_is_there(const Graph& graph, const Schedule& s) {
  ArenaPlayer arena(s);
  for (const Step& step : s.steps) {
    (step.pass == Pass::backward ? play_backward : play_forward)(graph, s, step, arena);
  }
  for (const auto& kept : graph.kept()) {
    arena.read(s.nodes[kept.id].forward, kept.name);
    for (const Slot slot : s.nodes[kept.id].forward.saved) arena.read(slot, kept.name + ", saved");
  }
}

TEST(Recompute, EverythingReadIsThere) {
  models::ViTConfig mean = models::preset("article");
  mean.pool = models::Pool::mean;
  mean.masked = true;
  for (const Graph& graph : {two_branches(), models::vit_training_graph(models::preset("article")),
                             models::vit_training_graph(mean), models::vit_training_graph(models::preset("tiny"))}) {
    for (const bool recompute : {false, true}) {
      for (const Graph& runs : {graph, fuse(graph, caps())}) {
        expect_everything_read_is_there(
            runs, make_schedule(runs, caps(), 2, {.mode = Mode::training, .recompute = recompute}));
      }
    }
  }
}

TEST(Recompute, CutsAViTWhereEverythingPasses) {
  models::ViTConfig config = models::preset("article");
  config.depth = 1;
  config.masked = true;  // attention reads the mask past any cut: inputs stay
  const Graph graph = models::vit_training_graph(config);
  const std::vector<std::string> want = {
      "patches", "patch_embedding", "tokens",   "blocks.0.attention_residual", "blocks.0.mlp_residual", "pool",
      "head_up", "head_gelu",       "head_down"};
  EXPECT_EQ(names_of(graph, cut_points(graph)), want);
}

TEST(Recompute, AtLeastHalvesTheMemory) {
  struct Run {
    const char* model;
    size_t batch;
    bool fuse;
  };
  for (const auto& [model, batch, fuse] : {Run{"article", 100, true},
                                           {"article", 100, false},
                                           {"article", 1, false},
                                           {"tiny", 16, true},
                                           {"small", 8, true}}) {
    const Graph graph = models::vit_training_graph(models::preset(model));
    const auto with = [&](bool recompute) {
      return report(graph, caps(), batch, {.mode = Mode::training, .recompute = recompute, .fuse = fuse});
    };
    const GraphReport plain = with(false), again = with(true);
    EXPECT_LT(2 * again.planned_bytes, plain.planned_bytes) << model << " fused " << fuse;
    EXPECT_LT(4 * again.saved_bytes, plain.saved_bytes) << model << " fused " << fuse;
    EXPECT_EQ(plain.recomputed_flops, 0) << model;
    EXPECT_GT(again.recomputed_flops, 0) << model;
    EXPECT_LT(again.recomputed_flops, again.forward_flops) << model;
  }
}

// Between its two forwards a node inside a segment has no memory; the end of a segment keeps it.
TEST(Recompute, WhatASegmentHoldsLivesTwiceAndShortly) {
  const Graph graph = models::vit_training_graph(models::preset("article"));
  const Schedule s = make_schedule(graph, caps(), 100, {.mode = Mode::training, .recompute = true});
  const auto step_of = [&](Pass pass, const std::string& name) {
    const size_t id = graph.find(name);
    const auto found = std::ranges::find_if(s.steps, [&](const Step& t) { return t.pass == pass && t.node == id; });
    return static_cast<size_t>(found - s.steps.begin());
  };
  const auto& gelu = node(graph, s, "blocks.2.gelu");
  EXPECT_EQ(s.slots[*gelu.forward.value].last, step_of(Pass::forward, "blocks.2.mlp_down"));
  EXPECT_EQ(s.slots[*gelu.backward.value].first, step_of(Pass::again, "blocks.2.gelu"));
  EXPECT_EQ(s.slots[*gelu.backward.value].last, step_of(Pass::backward, "blocks.2.mlp_down"));
  EXPECT_GT(step_of(Pass::again, "blocks.2.gelu"), step_of(Pass::backward, "blocks.3.attention_norm"));
  const auto& norm = node(graph, s, "blocks.2.mlp_norm");
  EXPECT_EQ(s.slots[norm.forward.saved[0]].last, step_of(Pass::forward, "blocks.2.mlp_norm"));
  EXPECT_EQ(s.slots[norm.backward.saved[0]].last, step_of(Pass::backward, "blocks.2.mlp_norm"));
  const auto& end = node(graph, s, "blocks.2.mlp_residual");
  EXPECT_EQ(end.forward.value, end.backward.value);
  EXPECT_EQ(s.slots[*end.forward.value].last, step_of(Pass::backward, "blocks.3.attention_norm"));
  EXPECT_EQ(step_of(Pass::again, "blocks.2.mlp_down"), s.steps.size()) << "nothing reads it in backward";
}

TEST(Recompute, AForwardThatNoBackwardFollowsSavesNothing) {
  const Graph graph = fuse(models::vit_training_graph(models::preset("article")), caps());
  const auto block = std::ranges::find_if(
      graph.nodes(), [](const Graph::Node& n) { return n.layer && n.layer->kind() == "EncoderBlock"; });
  ASSERT_NE(block, graph.nodes().end());
  const auto saved = [&](const PlanOptions& options) {
    const Schedule s = make_schedule(graph, caps(), 100, options);
    const auto& node = s.nodes[static_cast<size_t>(block - graph.nodes().begin())];
    return std::pair(node.forward.saved.size(), node.backward.saved.size());
  };
  EXPECT_EQ(saved({.mode = Mode::training}), std::pair(size_t{1}, size_t{1}));
  EXPECT_EQ(saved({.mode = Mode::training, .recompute = true}), std::pair(size_t{0}, size_t{1}));
  EXPECT_EQ(saved({.mode = Mode::inference}), std::pair(size_t{0}, size_t{0}));
}

TEST(Recompute, KeptValuesAndTheLastSegmentAreNotComputedTwice) {
  Graph graph = models::vit_training_graph(models::preset("article"));
  const size_t kept = graph.find("blocks.2.gelu");
  graph.keep({kept});
  const Schedule s = make_schedule(graph, caps(), 100, {.mode = Mode::training, .recompute = true});
  for (const Step& step : s.steps) {
    EXPECT_FALSE(step.pass == Pass::again && (step.node == kept || step.node > graph.find("pool")));
  }
  EXPECT_EQ(s.slots[*s.nodes[kept].forward.value].last, s.steps.size());
}

// A value that everything behind it reads leaves no place to cut.
TEST(Recompute, ChangesNothingWhereThereIsNoCut) {
  Graph graph;
  const Value labels = graph.input("labels", {}, DType::i32);
  const Value first = graph.add<Linear>("first", {graph.input("input", {4})}, size_t{4}, size_t{4});
  Value x = first;
  for (int i = 0; i < 4; ++i) {
    x = graph.add<Gelu>(std::to_string(i), {x});
    x = graph.add<Add>("sum" + std::to_string(i), {x, first});
  }
  graph.set_loss(graph.add<CrossEntropy>("loss", {x, labels}));
  EXPECT_EQ(names_of(graph, cut_points(graph)), (std::vector<std::string>{"first", "sum3"}));
  const GraphReport plain = report(graph, caps(), 9, {Mode::training});
  const GraphReport again = report(graph, caps(), 9, {.mode = Mode::training, .recompute = true});
  EXPECT_EQ(again.planned_bytes, plain.planned_bytes);
  EXPECT_EQ(again.recomputed_flops, 0);
}

TEST(Recompute, IsForTrainingOnly) {
  const Graph graph = models::vit_training_graph(models::preset("article"));
  const GraphReport plain = report(graph, caps(), 9, {Mode::inference});
  EXPECT_EQ(report(graph, caps(), 9, {.mode = Mode::inference, .recompute = true}).planned_bytes, plain.planned_bytes);
}

}  // namespace
}  // namespace vitcl::nn
