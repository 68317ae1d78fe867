// What the tests of fused graphs share.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "vitcl/models/vit.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

inline constexpr size_t block_dim = 6, block_heads = 3, block_tokens = 4;

/// How an encoder block of a test is built; by default so that it can be fused.
struct BlockStyle {
  bool swap_attention_sum = false, swap_mlp_sum = false;
  float mlp_epsilon = 1e-5F;
  bool projection_bias = true, up_bias = true, down_bias = true;
  bool norm_of_sum = true;  ///< or of x, past attention
  std::optional<Value> mask = {};
};

/// The names of a block's nodes but the last, which is "sum"; all start with the block's name and a dot.
inline constexpr std::array inner_names = {"norm1", "qkv", "attention", "projection", "residual",
                                           "norm2", "up",  "gelu",      "down"};

inline Value add_block(Graph& graph, const std::string& block, Value x, const BlockStyle& style = {}) {
  const auto name = [&](const char* node) { return block + "." + node; };
  const auto sum = [](Value a, Value b, bool swapped) { return swapped ? std::vector{b, a} : std::vector{a, b}; };
  Value h = graph.add<LayerNorm>(name("norm1"), {x}, block_dim, 1e-5F);
  h = graph.add<Linear>(name("qkv"), {h}, block_dim, 3 * block_dim, false);
  const auto inputs = style.mask ? std::vector{h, *style.mask} : std::vector{h};
  h = graph.add<Attention>(name("attention"), inputs, block_heads, 0.5F);
  h = graph.add<Linear>(name("projection"), {h}, block_dim, block_dim, style.projection_bias);
  const Value residual = graph.add<Add>(name("residual"), sum(x, h, style.swap_attention_sum));
  h = graph.add<LayerNorm>(name("norm2"), {style.norm_of_sum ? residual : x}, block_dim, style.mlp_epsilon);
  h = graph.add<Linear>(name("up"), {h}, block_dim, size_t{7}, style.up_bias);
  h = graph.add<Gelu>(name("gelu"), {h});
  h = graph.add<Linear>(name("down"), {h}, size_t{7}, block_dim, style.down_bias);
  return graph.add<Add>(name("sum"), sum(residual, h, style.swap_mlp_sum));
}

/// Tokens, what `body` makes of them, (B, dim), and a loss.
template <class Body>
Graph classifier(const Body& body) {
  Graph graph;
  const Value tokens = graph.input("tokens", {block_tokens, block_dim});
  const Value labels = graph.input("labels", {}, DType::i32);
  const Value x = graph.add<Linear>("embedding", {tokens}, block_dim, block_dim);
  const Value logits = graph.add<Linear>("head", {body(graph, x)}, block_dim, size_t{3});
  graph.keep(logits, "logits");
  graph.set_loss(graph.add<CrossEntropy>("loss", {logits, labels}));
  return graph;
}

/// One block and the pool of its class token.
inline Graph one_block(const BlockStyle& style = {}) {
  return classifier(
      [&](Graph& graph, Value x) { return graph.add<ClsPool>("pool", {add_block(graph, "block", x, style)}); });
}

/// A small Vision Transformer: 10 tokens of 6 features, two blocks.
inline models::ViTConfig tiny_vit() {
  models::ViTConfig c;
  c.image_size = 5;
  c.patch_size = 2;
  c.channels = 2;
  c.classes = 3;
  c.dim = block_dim;
  c.depth = 2;
  c.heads = block_heads;
  c.mlp_dim = 7;
  return c;
}

}  // namespace vitcl::nn
