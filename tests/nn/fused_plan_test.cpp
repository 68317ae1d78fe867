// What a fused plan computes, held to the plain one on every device.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "blocks.hpp"
#include "selftest/fill.hpp"
#include "selftest/tolerances.hpp"
#include "support/devices.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/ops/parts.hpp"

namespace vitcl::nn {
namespace {

using models::ViTConfig;

/// What a plan leaves, by name: kept values, the loss, and the parameters' gradients.
struct Outcome {
  NamedTensors values, gradients;
  bool operator==(const Outcome&) const = default;
};

constexpr PlanOptions plain{.mode = Mode::training, .fuse = false}, fused{.mode = Mode::training};
constexpr PlanOptions fused_recomputed{.mode = Mode::training, .recompute = true};
constexpr PlanOptions fused_accumulated{.mode = Mode::training, .parameter_mode = GradMode::accumulate};
constexpr PlanOptions fused_inference{.mode = Mode::inference};

/// A model on a device. Its vectors are all different, norms' and biases' too.
class Model {
 public:
  Model(Device& device, Graph graph)
      : queue_(device.queue()), graph_(std::move(graph)), parameters_(device, graph_.parameters()) {
    parameters_.initialize(queue_, 3);
    NamedTensors values = parameters_.save(queue_, parameters_.values());
    for (const ParameterSpec& spec : parameters_.specs()) {
      test::SplitMix random(spec.name);
      if (spec.shape.rank() > 1) continue;
      for (float& value : values.at(spec.name)) value += static_cast<float>(0.3 * random.normal());
    }
    parameters_.load(queue_, values);
  }

  const Graph& graph() const { return graph_; }
  /// Runs the samples `first`, ..., `first + batch - 1`.
  Outcome run(size_t batch, const PlanOptions& options, size_t first = 0) {
    Plan plan(graph_, parameters_, queue_, batch, options);
    for (const auto& node : graph_.nodes()) {
      if (!node.layer) fill(node, first, plan.tensor(node.name));
    }
    plan.run();
    Outcome outcome;
    for (const auto& kept : graph_.kept()) {
      if (graph_.nodes()[kept.id].layer) outcome.values[kept.name] = download<float>(queue_, plan.tensor(kept.name));
    }
    outcome.gradients = parameters_.save(queue_, parameters_.gradients());
    return outcome;
  }
  void zero_gradients() { queue_.zero(parameters_.gradients().buffer()); }

 private:
  void fill(const Graph::Node& node, size_t first, const Tensor& tensor) {
    const size_t batch = tensor.shape()[0], size = tensor.elements() / batch;
    std::vector<double> values;
    for (size_t sample = first; sample < first + batch; ++sample) {
      test::SplitMix random(node.name + std::to_string(sample));
      for (size_t i = 0; i < size; ++i) {
        values.push_back(node.dtype == DType::f32 ? random.normal() : static_cast<double>(random.integer(0, 1)));
      }
    }
    const auto upload_as = [&]<class T>(T) { upload<T>(queue_, std::vector<T>(values.begin(), values.end()), tensor); };
    if (node.dtype == DType::f32) upload_as(float{});
    if (node.dtype == DType::i32) upload_as(int32_t{});
    if (node.dtype == DType::u8) upload_as(uint8_t{});
  }

  Queue& queue_;
  Graph graph_;
  Parameters parameters_;
};

double norm(const std::vector<float>& values) {
  return std::sqrt(std::accumulate(values.begin(), values.end(), 0.0, [](double sum, float value) {
    return sum + static_cast<double>(value) * static_cast<double>(value);
  }));
}
double norm(const NamedTensors& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), 0.0,
                         [](double sum, const auto& named) { return std::hypot(sum, norm(named.second)); });
}
double distance(std::vector<float> a, const std::vector<float>& b) {
  std::ranges::transform(a, b, a.begin(), std::minus<>());
  return norm(a);
}

/// How far two orders of the same sums may be apart, relatively: a chain is off like one sum of all its roundings (see
/// tests/cases/encoder_block_case.hpp), sqrt(roundings) u, of which 8 deviations are allowed. A block of less than
/// 100 features has some 1200, and the embedding and the head as many together; backward doubles that again, and
/// there are two sides.
double rounding_limit(size_t depth) {
  return 8 * test::unit_roundoff * std::sqrt(static_cast<double>((depth + 1) * 1200 * 3 * 2));
}

/// Tensors are compared as a whole, by their L2 norms. A gradient may be a difference of larger ones that cancel: of
/// all gradients' norm the limit's hundredth is allowed.
void expect_close(const Outcome& got, const Outcome& want, double limit) {
  for (const auto& [name, values] : want.values) {
    ASSERT_EQ(got.values.at(name).size(), values.size()) << name;
    EXPECT_GT(norm(values), 0) << name;
    EXPECT_LE(distance(got.values.at(name), values), limit * norm(values)) << name;
  }
  const double all = norm(want.gradients);
  EXPECT_GT(all, 0);
  for (const auto& [name, values] : want.gradients) {
    EXPECT_LE(distance(got.gradients.at(name), values), limit * (norm(values) + 0.01 * all)) << name;
  }
}

/// Of two parts of a batch side by side.
Outcome joined(Outcome left, const Outcome& right) {
  for (auto& [name, values] : left.values) {
    values.insert(values.end(), right.values.at(name).begin(), right.values.at(name).end());
  }
  for (auto& [name, values] : left.gradients) {
    std::ranges::transform(values, right.gradients.at(name), values.begin(), std::plus<>());
  }
  return left;
}

struct Variant {
  std::string name;
  ViTConfig config;
  models::DropRates drop = {};
  Graph graph(size_t mean_over = 0) const {
    return models::vit_training_graph(config, {.mean_over = mean_over, .drop = drop});
  }
};

// As timm (a final norm, biases everywhere), as Hugging Face (the same with the epsilon 1e-12), and so on.
std::vector<Variant> variants() {
  std::vector<Variant> list;
  const auto add = [&](const std::string& name, const auto& change) {
    list.push_back({name, tiny_vit(), {}});
    change(list.back().config);
  };
  add("Article", [](ViTConfig&) {});
  add("Masked", [](ViTConfig& c) { c.masked = true; });
  add("MaskedMean", [](ViTConfig& c) { c.masked = true, c.pool = models::Pool::mean; });
  add("MeanOfPatches", [](ViTConfig& c) { c.class_token = false, c.pool = models::Pool::mean; });
  add("PooledNorm", [](ViTConfig& c) { c.pooled_norm = true, c.pool = models::Pool::mean; });
  const auto timm = [](ViTConfig& c) {
    c.qkv_bias = c.final_norm = true;
    c.head = models::Head::linear;
    c.scale = models::AttentionScale::head_dim;
    c.norm_epsilon = 1e-6F;
  };
  add("Timm", timm);
  add("HuggingFace", [&](ViTConfig& c) { timm(c), c.norm_epsilon = 1e-12F; });
  add("OneBlock", [](ViTConfig& c) { c.depth = 1; });
  list.push_back({"DropPath", tiny_vit(), {.path = 0.5F}});
  list.push_back({"AttentionDropout", tiny_vit(), {.attention = 0.3F, .path = 0.5F}});
  list.push_back(
      {"Dropout", tiny_vit(), {.head = 0.2F, .positions = 0.1F, .projection = 0.2F, .attention = 0.2F, .path = 0.5F}});
  return list;
}

class FusedPlanTest : public test::DeviceTest {
 protected:
  // Each device has another way through the ops; where it computes the same twice, the same bits come out.
  static constexpr size_t batches[] = {1, 3, 13};
  bool slow() const { return test::is_oclgrind(GetParam().info); }
};

TEST_P(FusedPlanTest, AgreesWithThePlainOne) {
  for (const Variant& variant : variants()) {
    SCOPED_TRACE(variant.name);
    Model model(device(), variant.graph());
    for (const size_t batch : batches) {
      if (slow() && batch > 1) break;
      SCOPED_TRACE(batch);
      expect_close(model.run(batch, fused), model.run(batch, plain), rounding_limit(variant.config.depth));
    }
  }
}

TEST_P(FusedPlanTest, AgreesForTheArticlesModel) {
  const Graph graph = models::vit_training_graph(models::preset("article"));
  const GraphReport work = report(graph, device().caps(), 5, plain);
  if (work.forward_flops + work.backward_flops > test::work_limit(GetParam().info)) GTEST_SKIP() << "a slow device";
  Model model(device(), graph);
  expect_close(model.run(5, fused), model.run(5, plain), rounding_limit(6));
}

TEST_P(FusedPlanTest, AgreesWithKeptValuesInside) {
  Graph graph = models::vit_training_graph(tiny_vit());
  graph.keep({graph.find("blocks.1.mlp_norm")});
  graph.keep({graph.find("blocks.0.mlp_residual")}, "halfway");
  graph.keep({graph.find("pool")});
  Model model(device(), std::move(graph));
  expect_close(model.run(3, fused), model.run(3, plain), rounding_limit(2));
}

TEST_P(FusedPlanTest, AgreesWhereSummandsAreSwapped) {
  Model model(device(), one_block({.swap_attention_sum = true, .swap_mlp_sum = true}));
  expect_close(model.run(3, fused), model.run(3, plain), rounding_limit(1));
}

// The block's input is an input of the graph: nobody wants its gradient.
TEST_P(FusedPlanTest, AgreesWhereNothingIsTrainedBeforeTheBlock) {
  Graph graph;
  const Value x = graph.input("tokens", {block_tokens, block_dim}), labels = graph.input("labels", {}, DType::i32);
  const Value pool = graph.add<ClsPool>("pool", {add_block(graph, "block", x)});
  graph.set_loss(graph.add<CrossEntropy>("loss", {pool, labels}));
  Model model(device(), std::move(graph));
  expect_close(model.run(3, fused), model.run(3, plain), rounding_limit(1));
}

// A mask that hides the first token as well.
TEST_P(FusedPlanTest, AgreesWithAMaskOfAllTokens) {
  const auto masked = [](Graph& graph, Value x) {
    const Value mask = graph.input("mask", {block_tokens}, DType::u8);
    x = add_block(graph, "one", x, {.mask = mask});
    return graph.add<ClsPool>("pool", {add_block(graph, "two", x, {.mask = mask})});
  };
  Model model(device(), classifier(masked));
  expect_close(model.run(5, fused), model.run(5, plain), rounding_limit(2));
}

// Several pools, a kept one, and other readers of the rows.
TEST_P(FusedPlanTest, AgreesWithSeveralPools) {
  const auto pools = [](Graph& graph, Value x) {
    const Value first = add_block(graph, "one", x), second = add_block(graph, "two", first);
    const Value a = graph.add<ClsPool>("a", {first}), b = graph.add<ClsPool>("b", {second});
    const Value again = graph.add<ClsPool>("again", {second});
    graph.keep(again);
    return graph.add<Add>("sum", {graph.add<Add>("ab", {a, b}), again});
  };
  Model model(device(), classifier(pools));
  expect_close(model.run(3, fused), model.run(3, plain), rounding_limit(2));
}

TEST_P(FusedPlanTest, AGraphWithNothingToFuseGivesTheSameBits) {
  Model model(device(), classifier([](Graph& graph, Value x) {
                const Value h = graph.add<Gelu>("gelu", {graph.add<LayerNorm>("norm", {x}, block_dim)});
                return graph.add<MeanPool>("pool", {graph.add<Add>("sum", {x, h})});
              }));
  EXPECT_EQ(model.run(3, fused), model.run(3, plain));
}

TEST_P(FusedPlanTest, ComputingActivationsASecondTimeGivesTheSameBits) {
  ViTConfig config = tiny_vit();
  config.depth = 4;
  Model model(device(), models::vit_training_graph(config));
  EXPECT_EQ(model.run(3, fused_recomputed), model.run(3, fused));
  EXPECT_LT(report(model.graph(), device().caps(), 3, fused_recomputed).planned_bytes,
            report(model.graph(), device().caps(), 3, fused).planned_bytes);
}

TEST_P(FusedPlanTest, TheSameRunGivesTheSameBits) {
  if (slow()) GTEST_SKIP() << "says nothing of a real device";
  Model model(device(), models::vit_training_graph(tiny_vit()));
  EXPECT_EQ(model.run(13, fused), model.run(13, fused));
}

TEST_P(FusedPlanTest, AccumulatingOverHalvesIsTheGradientOfTheWhole) {
  Model model(device(), models::vit_training_graph(tiny_vit()));
  const Outcome whole = model.run(6, fused);
  model.zero_gradients();
  model.run(3, fused_accumulated);
  Outcome sum = model.run(3, fused_accumulated, 3);
  sum.values = whole.values;
  for (auto& [name, values] : sum.gradients) {
    for (float& value : values) value /= 2;
  }
  expect_close(sum, whole, rounding_limit(2));
}

// What parts compute one by one, and their gradients' sum in a tree.
TEST_P(FusedPlanTest, ABatchInPartsGivesTheBitsOfThePartsAlone) {
  constexpr size_t batch = 13, parts = 4;
  for (const Variant& variant : variants()) {
    const std::string& name = variant.name;
    if (slow() && name != "Timm" && name != "DropPath") continue;
    for (const bool fuse : {true, false}) {
      SCOPED_TRACE(name + (fuse ? ", fused" : ", plain"));
      Model model(device(), variant.graph(batch));
      const bool recompute = name == "Masked" || name == "Dropout";
      PlanOptions options{.mode = Mode::training, .recompute = recompute, .fuse = fuse, .parts = parts};
      const Outcome whole = model.run(batch, options);
      options.parts = 1;
      std::vector<Outcome> alone;
      for (size_t part = 0; part < parts; ++part) {
        const size_t begin = ops::part_begin(batch, part, parts), end = ops::part_begin(batch, part + 1, parts);
        alone.push_back(model.run(end - begin, options, begin));
      }
      EXPECT_EQ(whole, joined(joined(alone[0], alone[1]), joined(alone[2], alone[3])));
    }
  }
}

TEST_P(FusedPlanTest, InferenceGivesTheBitsOfTraining) {
  Model model(device(), models::vit_training_graph(tiny_vit()));
  const Outcome training = model.run(3, fused);
  EXPECT_EQ(model.run(3, fused_inference).values, training.values);
}

INSTANTIATE_TEST_SUITE_P(Devices, FusedPlanTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl::nn
