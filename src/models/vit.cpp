#include "vitcl/models/vit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::models {
namespace {

using nn::Graph;
using nn::Value;

// Every input of attention, and of the pool, that a mask can follow.
std::vector<Value> with_mask(Value value, const std::optional<Value>& mask) {
  return mask ? std::vector<Value>{value, *mask} : std::vector<Value>{value};
}

/// Adds dropout to a graph. Each place has a number, whether or not it drops anything, that tells its random numbers
/// from the others'.
class Dropouts {
 public:
  Dropouts(Graph& graph, const DropRates& rates) : graph_(graph), rates_(rates) {
    if (rates.any()) draws_ = graph.input("draws", {4}, DType::i32);
  }
  const DropRates& rates() const { return rates_; }

  ops::DropoutOptions next(float rate, bool whole_samples = false) {
    return {.rate = rate, .use = used_++, .whole_samples = whole_samples};
  }
  Value add(const std::string& name, Value value, float rate, bool whole_samples = false) {
    const ops::DropoutOptions options = next(rate, whole_samples);
    return rate > 0 ? graph_.add<nn::Dropout>(name, {value, *draws_}, options) : value;
  }
  Value draws() const { return *draws_; }

 private:
  Graph& graph_;
  DropRates rates_;
  std::optional<Value> draws_;
  uint32_t used_ = 0;
};

Value project_patches(Graph& graph, const ViTConfig& c, Value images) {
  const Value patches = graph.add<nn::CutPatches>("patches", {images}, c.patch_size, c.pad_value);
  return graph.add<nn::Linear>("patch_embedding", {patches}, c.patch_size * c.patch_size * c.channels, c.dim);
}

Value convolve(Graph& graph, const ViTConfig& c, Value images) {
  Value x = graph.add<nn::CutPatches>("pixels", {images}, size_t{1}, c.pad_value);
  const std::vector<StemConvolution> convolutions = c.stem_convolutions();
  for (size_t i = 0; i < convolutions.size(); ++i) {
    const auto [in, out, stride] = convolutions[i];
    const std::string name = fmt::format("stem.{}", i);
    x = graph.add<nn::Convolution>(
        name, {x}, in, out, ops::UnfoldOptions{.stride = stride, .padding = 1, .pad_value = i == 0 ? c.pad_value : 0});
    if (i + 1 == convolutions.size()) break;
    x = graph.add<nn::LayerNorm>(name + ".norm", {x}, out, c.norm_epsilon);
    x = graph.add<nn::Gelu>(name + ".gelu", {x});
  }
  return x;
}

Value embed(Graph& graph, const ViTConfig& c, Dropouts& dropouts, Value images) {
  const auto positions =
      c.position == Position::learned ? nn::EmbedTokens::Positions::learned : nn::EmbedTokens::Positions::sincos;
  const Value projected = c.stem == Stem::patches ? project_patches(graph, c, images) : convolve(graph, c, images);
  const Value tokens =
      graph.add<nn::EmbedTokens>("tokens", {projected}, c.patches(), c.dim, c.class_token, positions, c.position_std);
  return dropouts.add("tokens_dropout", tokens, dropouts.rates().positions);
}

Value encoder_block(Graph& graph, const ViTConfig& c, size_t index, Dropouts& dropouts, Value x,
                    const std::optional<Value>& mask) {
  const std::string name = fmt::format("blocks.{}.", index);
  const DropRates& rates = dropouts.rates();
  const float path = c.depth == 1 ? 0 : rates.path * static_cast<float>(index) / static_cast<float>(c.depth - 1);
  Value h = graph.add<nn::LayerNorm>(name + "attention_norm", {x}, c.dim, c.norm_epsilon);
  h = graph.add<nn::Linear>(name + "qkv", {h}, c.dim, 3 * c.dim, c.qkv_bias);
  std::vector<Value> attended = with_mask(h, mask);
  if (rates.attention > 0) attended.push_back(dropouts.draws());
  h = graph.add<nn::Attention>(name + "attention", attended, c.heads, c.attention_scale(),
                               dropouts.next(rates.attention));
  h = graph.add<nn::Linear>(name + "projection", {h}, c.dim, c.dim);
  h = dropouts.add(name + "projection_dropout", h, rates.projection);
  h = dropouts.add(name + "attention_drop_path", h, path, true);
  x = graph.add<nn::Add>(name + "attention_residual", {x, h});
  h = graph.add<nn::LayerNorm>(name + "mlp_norm", {x}, c.dim, c.norm_epsilon);
  h = graph.add<nn::Linear>(name + "mlp_up", {h}, c.dim, c.mlp_dim);
  h = graph.add<nn::Gelu>(name + "gelu", {h});
  h = dropouts.add(name + "gelu_dropout", h, rates.projection);
  h = graph.add<nn::Linear>(name + "mlp_down", {h}, c.mlp_dim, c.dim);
  h = dropouts.add(name + "mlp_dropout", h, rates.projection);
  h = dropouts.add(name + "mlp_drop_path", h, path, true);
  return graph.add<nn::Add>(name + "mlp_residual", {x, h});
}

Value classify(Graph& graph, const ViTConfig& c, Value x) {
  if (c.head == Head::linear) return graph.add<nn::Linear>("head", {x}, c.dim, c.classes);
  x = graph.add<nn::Linear>("head_up", {x}, c.dim, c.mlp_dim);
  x = graph.add<nn::Gelu>("head_gelu", {x});
  return graph.add<nn::Linear>("head_down", {x}, c.mlp_dim, c.classes);
}

Value add_vit(Graph& graph, const ViTConfig& c, const DropRates& rates) {
  c.validate();
  const Value images = graph.input("images", {c.channels, c.image_size, c.image_size});
  std::optional<Value> mask;
  if (c.masked) mask = graph.input("mask", {c.patches()}, DType::u8);
  Dropouts dropouts(graph, rates);
  Value x = embed(graph, c, dropouts, images);
  for (size_t i = 0; i < c.depth; ++i) x = encoder_block(graph, c, i, dropouts, x, mask);
  if (c.final_norm) x = graph.add<nn::LayerNorm>("final_norm", {x}, c.dim, c.norm_epsilon);
  if (c.pool == Pool::cls) {
    x = graph.add<nn::ClsPool>("pool", {x});
  } else {
    x = graph.add<nn::MeanPool>("pool", with_mask(x, mask), size_t{c.class_token ? 1U : 0U});
  }
  if (c.pooled_norm) x = graph.add<nn::LayerNorm>("pooled_norm", {x}, c.dim, c.norm_epsilon);
  x = dropouts.add("head_dropout", x, rates.head);
  const Value logits = classify(graph, c, x);
  graph.keep(logits, "logits");
  return logits;
}

}  // namespace

std::vector<StemConvolution> ViTConfig::stem_convolutions() const {
  std::vector<StemConvolution> convolutions;
  size_t in = channels, out = std::min(stem_channels, dim);
  for (size_t side = patch_size; side > 1; side /= 2) {
    if (side == 2) out = dim;
    for (size_t i = 0; i < stem_depth; ++i) {
      convolutions.push_back({in, out, i == 0 ? size_t{2} : size_t{1}});
      in = out;
    }
    out = std::min(2 * out, dim);
  }
  return convolutions;
}

float ViTConfig::attention_scale() const {
  const size_t width = scale == AttentionScale::dim ? dim : dim / heads;
  return 1.0F / std::sqrt(static_cast<float>(width));
}

void ViTConfig::validate() const {
  // Generous, but small enough that no product of sizes overflows, whatever a file says.
  constexpr size_t most_pixels = size_t{1} << 16, most_blocks = 1024, most = size_t{1} << 20;
  struct Count {
    const char* name;
    size_t value, most;
  };
  const Count counts[] = {{"image size", image_size, most_pixels},
                          {"patch size", patch_size, most_pixels},
                          {"stem channels", stem_channels, most},
                          {"stem depth", stem_depth, most_blocks},
                          {"channels", channels, most},
                          {"classes", classes, most},
                          {"dim", dim, most},
                          {"depth", depth, most_blocks},
                          {"heads", heads, most},
                          {"mlp dim", mlp_dim, most}};
  for (const auto& [name, value, limit] : counts) {
    if (value == 0) throw UsageError(fmt::format("the {} must be at least 1", name));
    if (value > limit) throw UsageError(fmt::format("the {} is {}, at most {} are possible", name, value, limit));
  }
  if (dim % heads != 0) {
    throw UsageError(fmt::format("{} heads do not divide dim {}: choose heads among the divisors of dim", heads, dim));
  }
  if (patch_size > image_size) {
    throw UsageError(fmt::format("the patch size {} is larger than the image size {}", patch_size, image_size));
  }
  if (stem == Stem::convolutions && (!std::has_single_bit(patch_size) || patch_size < 2)) {
    throw UsageError(fmt::format("a stem of convolutions needs a patch size of 2, 4, 8 or another power of two, got {}",
                                 patch_size));
  }
  if (!(position_std >= 0) || !std::isfinite(position_std))
    throw UsageError(fmt::format("the position std must be a number, 0 or more, got {}", position_std));
  if (pool == Pool::cls && !class_token) throw UsageError("CLS pooling needs a class token");
  if (!(norm_epsilon > 0)) throw UsageError(fmt::format("the norm epsilon must be positive, got {}", norm_epsilon));
}

nn::Graph vit_graph(const ViTConfig& config) {
  Graph graph;
  add_vit(graph, config, {});
  return graph;
}

nn::Graph vit_training_graph(const ViTConfig& config, const TrainingOptions& options) {
  Graph graph;
  const Value logits = add_vit(graph, config, options.drop);
  const Value labels = graph.input("labels", {}, DType::i32);
  std::vector<Value> compared = {logits, labels};
  if (options.soft_targets) compared.push_back(graph.input("targets", {config.classes}));
  graph.set_loss(graph.add<nn::CrossEntropy>("loss", compared, options.label_smoothing, options.mean_over));
  return graph;
}

}  // namespace vitcl::models
