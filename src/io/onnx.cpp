#include "vitcl/io/onnx.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <numeric>

#include "onnx_graph.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"

namespace vitcl::io {
namespace {

using Sizes = OnnxGraph::Sizes;
using Name = std::string;  // of a value

int64_t i64(size_t size) { return static_cast<int64_t>(size); }

/// models::vit_graph() in ONNX's operators. A size of 0 in a Reshape is the input's: the batch.
class Writer {
 public:
  explicit Writer(const Pretrained& weights) : weights_(weights), model_(weights.model) {
    for (const nn::ParameterSpec& spec : models::vit_graph(model_).parameters()) shapes_.emplace(spec.name, spec.shape);
  }

  std::string write() {
    const auto side = i64(model_.image_size);
    graph_.input("images", {i64(model_.channels), side, side});
    graph_.output("logits", {i64(model_.classes)});
    Name x = embed("images");
    for (size_t i = 0; i < model_.depth; ++i) x = encoder_block(fmt::format("blocks.{}.", i), x);
    if (model_.final_norm) x = layer_norm("final_norm", x);
    x = pool(x);
    if (model_.pooled_norm) x = layer_norm("pooled_norm", x);
    const bool linear_head = model_.head == models::Head::linear;
    if (!linear_head) x = gelu(linear("head_up", x));
    linear(linear_head ? "head" : "head_down", x, "logits");
    return graph_.model(metadata());
  }

 private:
  Name parameter(const std::string& name) {
    Sizes sizes;
    for (const size_t size : shapes_.at(name).sizes()) sizes.push_back(i64(size));
    return graph_.constant(name, sizes, weights_.parameters.at(name));
  }

  Name linear(const std::string& name, const Name& x, const Name& output = "") {
    const Shape& shape = shapes_.at(name + ".weight");
    const std::vector<float>& weight = weights_.parameters.at(name + ".weight");
    std::vector<float> transposed(weight.size());
    for (size_t i = 0; i < weight.size(); ++i) transposed[i % shape[1] * shape[0] + i / shape[1]] = weight[i];
    const Name constant = graph_.constant(name + ".weight", {i64(shape[1]), i64(shape[0])}, transposed);
    if (!shapes_.contains(name + ".bias")) return graph_.add("MatMul", {x, constant}, {}, output);
    return graph_.add("Add", {graph_.add("MatMul", {x, constant}), parameter(name + ".bias")}, {}, output);
  }

  Name layer_norm(const std::string& name, const Name& x) {
    return graph_.add("LayerNormalization", {x, parameter(name + ".weight"), parameter(name + ".bias")},
                      {{"axis", int64_t{-1}}, {"epsilon", model_.norm_epsilon}});
  }

  Name gelu(const Name& x) {
    const Name scaled = graph_.add("Mul", {x, graph_.scalar(1 / std::numbers::sqrt2_v<float>)});
    const Name gate = graph_.add("Add", {graph_.add("Erf", {scaled}), graph_.scalar(1.0F)});
    return graph_.add("Mul", {graph_.add("Mul", {x, gate}), graph_.scalar(0.5F)});
  }

  Name reshape(const Name& x, const Sizes& sizes) { return graph_.add("Reshape", {x, graph_.constant(sizes)}); }
  Name transpose(const Name& x, const Sizes& order) { return graph_.add("Transpose", {x}, {{"perm", order}}); }

  Name project_patches(Name x) {
    const size_t grid = model_.grid(), patch = model_.patch_size;
    if (const size_t missing = grid * patch - model_.image_size; missing > 0) {
      const int64_t before = i64(missing / 2), after = i64(missing) - before;
      x = graph_.add("Pad",
                     {x, graph_.constant({0, 0, before, before, 0, 0, after, after}), graph_.scalar(model_.pad_value)});
    }
    x = reshape(x, {0, i64(model_.channels), i64(grid), i64(patch), i64(grid), i64(patch)});
    x = transpose(x, {0, 2, 4, 3, 5, 1});
    return linear("patch_embedding", reshape(x, {0, i64(grid * grid), i64(patch * patch * model_.channels)}));
  }

  /// Our weights are (out, 3 * 3 * in), flattened by row, column and channel; LayerNormalization wants channels last.
  Name convolve(Name x) {
    const std::vector<models::StemConvolution> convolutions = model_.stem_convolutions();
    for (size_t i = 0; i < convolutions.size(); ++i) {
      const auto [in, out, stride] = convolutions[i];
      const std::string name = fmt::format("stem.{}", i);
      x = graph_.add("Pad",
                     {x, graph_.constant({0, 0, 1, 1, 0, 0, 1, 1}), graph_.scalar(i == 0 ? model_.pad_value : 0.0F)});
      const Name weight = transpose(reshape(parameter(name + ".weight"), {-1, 3, 3, i64(in)}), {0, 3, 1, 2});
      x = graph_.add("Conv", {x, weight, parameter(name + ".bias")}, {{"strides", Sizes{i64(stride), i64(stride)}}});
      x = transpose(x, {0, 2, 3, 1});
      if (i + 1 < convolutions.size()) x = transpose(gelu(layer_norm(name + ".norm", x)), {0, 3, 1, 2});
    }
    return reshape(x, {0, i64(model_.patches()), i64(model_.dim)});
  }

  Name embed(Name x) {
    x = model_.stem == models::Stem::patches ? project_patches(x) : convolve(x);
    if (model_.class_token) {
      const Name batch = graph_.add("Shape", {x}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
      const Name sizes = graph_.add("Concat", {batch, graph_.constant({1, i64(model_.dim)})}, {{"axis", int64_t{0}}});
      x = graph_.add("Concat", {graph_.add("Expand", {parameter("tokens.class_token"), sizes}), x},
                     {{"axis", int64_t{1}}});
    }
    return leave_visible(graph_.add("Add", {x, parameter("tokens.positions")}));
  }

  /// Nothing that is visible depends on hidden patches.
  Name leave_visible(const Name& x) {
    tokens_ = model_.tokens();
    if (weights_.patch_mask.empty()) return x;
    Sizes visible(leading());
    std::iota(visible.begin(), visible.end(), 0);
    for (size_t i = 0; i < weights_.patch_mask.size(); ++i)
      if (weights_.patch_mask[i] == '1') visible.push_back(i64(leading() + i));
    tokens_ = visible.size();
    if (model_.pool == models::Pool::mean && tokens_ == leading())
      throw UsageError("the patch mask hides every patch, of which ONNX has no mean");
    return graph_.add("Gather", {x, graph_.constant(visible)}, {{"axis", int64_t{1}}});
  }

  Name attention(const std::string& block, const Name& x) {
    const size_t head_dim = model_.dim / model_.heads;
    Name qkv = reshape(linear(block + "qkv", x), {0, i64(tokens_), 3, i64(model_.heads), i64(head_dim)});
    qkv = transpose(qkv, {2, 0, 3, 1, 4});  // 3 B H T D
    const auto part = [&](int64_t i) { return graph_.add("Gather", {qkv, graph_.scalar(i)}, {{"axis", int64_t{0}}}); };
    Name scores = graph_.add("MatMul", {part(0), transpose(part(1), {0, 1, 3, 2})});
    scores = graph_.add("Mul", {scores, graph_.scalar(model_.attention_scale())});
    const Name probabilities = graph_.add("Softmax", {scores}, {{"axis", int64_t{-1}}});
    const Name mixed = transpose(graph_.add("MatMul", {probabilities, part(2)}), {0, 2, 1, 3});
    return linear(block + "projection", reshape(mixed, {0, i64(tokens_), i64(model_.dim)}));
  }

  Name encoder_block(const std::string& block, Name x) {
    x = graph_.add("Add", {x, attention(block, layer_norm(block + "attention_norm", x))});
    const Name hidden = gelu(linear(block + "mlp_up", layer_norm(block + "mlp_norm", x)));
    return graph_.add("Add", {x, linear(block + "mlp_down", hidden)});
  }

  Name pool(const Name& x) {
    if (model_.pool == models::Pool::cls)
      return graph_.add("Gather", {x, graph_.scalar(int64_t{0})}, {{"axis", int64_t{1}}});
    const Name patches = graph_.add(
        "Slice", {x, graph_.constant({i64(leading())}), graph_.constant({i64(tokens_)}), graph_.constant({1})});
    return graph_.add("ReduceMean", {patches}, {{"axes", Sizes{1}}, {"keepdims", int64_t{0}}});
  }

  size_t leading() const { return model_.tokens() - model_.patches(); }

  std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> texts;
    if (!weights_.mean.empty()) texts["mean"] = nlohmann::json(weights_.mean).dump();
    if (!weights_.deviation.empty()) texts["deviation"] = nlohmann::json(weights_.deviation).dump();
    if (!weights_.class_names.empty()) texts["class_names"] = nlohmann::json(weights_.class_names).dump();
    return texts;
  }

  const Pretrained& weights_;
  const models::ViTConfig& model_;
  std::map<std::string, Shape> shapes_;
  OnnxGraph graph_;
  size_t tokens_ = 0;
};

}  // namespace

void write_onnx(const std::filesystem::path& path, const Pretrained& weights) {
  constexpr size_t most = (size_t{1} << 31U) - 1;
  require_head(weights);
  const std::string file = Writer(weights).write();
  if (file.size() > most)
    throw UsageError(fmt::format("the model takes {} bytes, an ONNX file has at most {}", file.size(), most));
  AtomicFile target(path);
  target.write(file);
  target.commit();
}

}  // namespace vitcl::io
