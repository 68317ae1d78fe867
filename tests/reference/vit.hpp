#pragma once

#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "reference/add.hpp"
#include "reference/attention.hpp"
#include "reference/cross_entropy.hpp"
#include "reference/gelu.hpp"
#include "reference/layer_norm.hpp"
#include "reference/linear.hpp"
#include "reference/patch_embed.hpp"
#include "reference/pool.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::reference {

using Values = std::vector<double>;
using NamedValues = std::map<std::string, Values>;

/// A whole Vision Transformer forward in double, from the ops' references and vitcl's parameter names.
class ViT {
 public:
  ViT(const models::ViTConfig& config, const NamedValues& parameters) : c_(config), parameters_(parameters) {}

  /// logits (batch, classes). images: (batch, channels, side, side), mask: (batch, patches) or empty.
  Values logits(const Values& images, size_t batch, const Values& mask) const {
    Values x = embed(images, batch);
    for (size_t i = 0; i < c_.depth; ++i) x = block("blocks." + std::to_string(i) + ".", x, batch, mask);
    if (c_.final_norm) x = layer_norm("final_norm", x);
    x = pool(x, batch, mask);
    if (c_.pooled_norm) x = layer_norm("pooled_norm", x);
    if (c_.head == models::Head::linear) return linear("head", x, c_.dim);
    return linear("head_down", gelu(linear("head_up", x, c_.dim)), c_.mlp_dim);
  }

  /// The mean cross-entropy.
  double loss(const Values& images, const Values& labels, const Values& mask, double smoothing) const {
    Values losses(labels.size());
    cross_entropy<double>(logits(images, labels.size(), mask), labels, smoothing, losses);
    return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  }

 private:
  const Values& parameter(const std::string& name) const { return parameters_.at(name); }

  Values linear(const std::string& name, const Values& x, size_t in) const {
    const Values& weight = parameter(name + ".weight");
    const auto bias = parameters_.find(name + ".bias");
    Values y(x.size() / in * (weight.size() / in));
    linear_forward<double>(x, weight, bias == parameters_.end() ? Values{} : bias->second, in, weight.size() / in, y);
    return y;
  }

  Values layer_norm(const std::string& name, const Values& x) const {
    const Values& weight = parameter(name + ".weight");
    Values y(x.size()), mean(x.size() / weight.size()), rstd(mean.size());
    layer_norm_forward<double>(x, weight, parameter(name + ".bias"), static_cast<double>(c_.norm_epsilon), y, mean,
                               rstd);
    return y;
  }

  static Values gelu(const Values& x) {
    Values y(x.size());
    gelu_forward<double>(x, y);
    return y;
  }

  static Values add(const Values& a, const Values& b) {
    Values y(a.size());
    add_forward<double>(a, b, y);
    return y;
  }

  Values embed(const Values& images, size_t batch) const {
    const size_t pixels = c_.patch_size * c_.patch_size * c_.channels;
    Values patches(batch * c_.patches() * pixels), tokens(batch * c_.tokens() * c_.dim);
    cut_patches<double>(images, batch, c_.channels, c_.image_size, c_.patch_size, static_cast<double>(c_.pad_value),
                        patches);
    const Values class_token = c_.class_token ? parameter("tokens.class_token") : Values{};
    embed_tokens_forward<double>(linear("patch_embedding", patches, pixels), class_token, parameter("tokens.positions"),
                                 tokens);
    return tokens;
  }

  Values block(const std::string& name, const Values& x, size_t batch, const Values& mask) const {
    const AttentionSizes sizes{
        batch, c_.tokens(), c_.heads, c_.dim / c_.heads, static_cast<double>(c_.attention_scale()), mask};
    Values mixed(x.size()), logsumexp(batch * c_.heads * c_.tokens());
    attention_forward<double>(linear(name + "qkv", layer_norm(name + "attention_norm", x), c_.dim), sizes, mixed,
                              logsumexp);
    const Values h = add(x, linear(name + "projection", mixed, c_.dim));
    const Values up = gelu(linear(name + "mlp_up", layer_norm(name + "mlp_norm", h), c_.dim));
    return add(h, linear(name + "mlp_down", up, c_.mlp_dim));
  }

  Values pool(const Values& x, size_t batch, const Values& mask) const {
    const auto weights = c_.pool == models::Pool::cls ? cls_weights(batch, c_.tokens())
                                                      : mean_weights<double>(batch, c_.tokens(), c_.class_token ? 1 : 0,
                                                                             std::span<const double>(mask));
    Values y(batch * c_.dim);
    pool_forward<double>(x, weights, batch, y);
    return y;
  }

  models::ViTConfig c_;
  const NamedValues& parameters_;
};

}  // namespace vitcl::reference
