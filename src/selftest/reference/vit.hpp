#pragma once

#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <ranges>
#include <string>
#include <vector>

#include "selftest/reference/add.hpp"
#include "selftest/reference/attention.hpp"
#include "selftest/reference/cross_entropy.hpp"
#include "selftest/reference/gelu.hpp"
#include "selftest/reference/layer_norm.hpp"
#include "selftest/reference/linear.hpp"
#include "selftest/reference/patch_embed.hpp"
#include "selftest/reference/pool.hpp"
#include "selftest/reference/unfold.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::reference {

using Values = std::vector<double>;
using NamedValues = std::map<std::string, Values>;

/// A tensor, and the gradient of the loss with respect to it.
struct Node {
  explicit Node(size_t size) : Node(Values(size)) {}
  explicit Node(Values values) : value(std::move(values)), gradient(value.size()) {}
  Values value, gradient;

  void add_to_gradient(const Values& part) {
    for (size_t i = 0; i < part.size(); ++i) gradient[i] += part[i];
  }
};
using NodePtr = std::shared_ptr<Node>;

/// One pass of a Vision Transformer over a batch, in double, from the ops' references and vitcl's parameter names. Each
/// step forward notes its step backward.
class ViTPass {
 public:
  /// `mask`: (batch, patches) or empty.
  ViTPass(const models::ViTConfig& config, const NamedValues& parameters, size_t batch, const Values& mask)
      : c_(config), parameters_(parameters), batch_(batch), mask_(mask) {}

  /// Logits (batch, classes) of images (batch, channels, side, side).
  NodePtr logits(const Values& images) {
    NodePtr x = embed(images);
    for (size_t i = 0; i < c_.depth; ++i) x = block("blocks." + std::to_string(i) + ".", x);
    if (c_.final_norm) x = layer_norm("final_norm", x);
    x = pool(x);
    if (c_.pooled_norm) x = layer_norm("pooled_norm", x);
    if (c_.head == models::Head::linear) return linear("head", x, c_.dim);
    return linear("head_down", gelu(linear("head_up", x, c_.dim)), c_.mlp_dim);
  }

  /// The gradient of every parameter, once the logits' is set.
  const NamedValues& backward() {
    for (const auto& step : std::views::reverse(steps_)) step();
    return gradients_;
  }

 private:
  const Values& parameter(const std::string& name) const { return parameters_.at(name); }

  NodePtr linear(const std::string& name, const NodePtr& x, size_t in) {
    const Values& weight = parameter(name + ".weight");
    const size_t out = weight.size() / in;
    const auto bias = parameters_.find(name + ".bias");
    const bool has_bias = bias != parameters_.end();
    const auto y = std::make_shared<Node>(x->value.size() / in * out);
    linear_forward<double>(x->value, weight, has_bias ? bias->second : Values{}, in, out, y->value);
    steps_.emplace_back([=, this, &weight] {
      Values dx(x->value.size()), &dw = gradients_[name + ".weight"];
      dw.resize(weight.size());
      linear_backward_input<double>(y->gradient, weight, in, out, dx);
      linear_backward_weight<double>(y->gradient, x->value, in, out, dw);
      x->add_to_gradient(dx);
      if (!has_bias) return;
      Values& db = gradients_[name + ".bias"];
      db.resize(out);
      bias_backward<double>(y->gradient, db);
    });
    return y;
  }

  NodePtr layer_norm(const std::string& name, const NodePtr& x) {
    const Values& weight = parameter(name + ".weight");
    const auto y = std::make_shared<Node>(x->value.size());
    Values mean(x->value.size() / weight.size()), rstd(mean.size());
    layer_norm_forward<double>(x->value, weight, parameter(name + ".bias"), static_cast<double>(c_.norm_epsilon),
                               y->value, mean, rstd);
    steps_.emplace_back([=, this, &weight] {
      Values dx(x->value.size()), &dw = gradients_[name + ".weight"], &db = gradients_[name + ".bias"];
      dw.resize(weight.size());
      db.resize(weight.size());
      layer_norm_backward<double>(y->gradient, x->value, weight, mean, rstd, dx, dw, db);
      x->add_to_gradient(dx);
    });
    return y;
  }

  NodePtr gelu(const NodePtr& x) {
    const auto y = std::make_shared<Node>(x->value.size());
    gelu_forward<double>(x->value, y->value);
    steps_.emplace_back([=] {
      Values dx(x->value.size());
      gelu_backward<double>(y->gradient, x->value, dx);
      x->add_to_gradient(dx);
    });
    return y;
  }

  NodePtr add(const NodePtr& a, const NodePtr& b) {
    const auto y = std::make_shared<Node>(a->value.size());
    add_forward<double>(a->value, b->value, y->value);
    steps_.emplace_back([=] {
      a->add_to_gradient(y->gradient);
      b->add_to_gradient(y->gradient);
    });
    return y;
  }

  NodePtr project_patches(const Values& images) {
    const size_t pixels = c_.patch_size * c_.patch_size * c_.channels;
    const auto patches = std::make_shared<Node>(batch_ * c_.patches() * pixels);
    cut_patches<double>(images, batch_, c_.channels, c_.image_size, c_.patch_size, static_cast<double>(c_.pad_value),
                        patches->value);
    return linear("patch_embedding", patches, pixels);
  }

  NodePtr unfold(const NodePtr& x, size_t side, size_t channels, const ops::UnfoldOptions& options) {
    const std::vector<size_t> sources = unfold_sources(batch_, side, channels, options);
    const auto windows = std::make_shared<Node>(sources.size());
    unfold_forward<double>(x->value, sources, double{options.pad_value}, windows->value);
    steps_.emplace_back([=] {
      Values dx(x->value.size());
      unfold_backward<double>(windows->gradient, sources, dx);
      x->add_to_gradient(dx);
    });
    return windows;
  }

  NodePtr convolve(const Values& images) {
    auto x = std::make_shared<Node>(images.size());
    cut_patches<double>(images, batch_, c_.channels, c_.image_size, 1, 0.0, x->value);
    size_t side = c_.image_size;
    const std::vector<models::StemConvolution> convolutions = c_.stem_convolutions();
    for (size_t i = 0; i < convolutions.size(); ++i) {
      const ops::UnfoldOptions options{3, convolutions[i].stride, 1, i == 0 ? c_.pad_value : 0};
      const std::string name = "stem." + std::to_string(i);
      x = linear(name, unfold(x, side, convolutions[i].in, options), 9 * convolutions[i].in);
      side = options.grid(side);
      if (i + 1 < convolutions.size()) x = gelu(layer_norm(name + ".norm", x));
    }
    return x;
  }

  NodePtr embed(const Values& images) {
    const NodePtr projected = c_.stem == models::Stem::patches ? project_patches(images) : convolve(images);
    const auto tokens = std::make_shared<Node>(batch_ * c_.tokens() * c_.dim);
    embed_tokens_forward<double>(projected->value, c_.class_token ? parameter("tokens.class_token") : Values{},
                                 parameter("tokens.positions"), tokens->value);
    steps_.emplace_back([=, this] {
      Values& dpositions = gradients_["tokens.positions"];
      dpositions.resize(c_.tokens() * c_.dim);
      Values dclass(c_.class_token ? c_.dim : 0);
      embed_tokens_backward<double>(tokens->gradient, projected->gradient, dclass, dpositions);
      if (c_.class_token) gradients_["tokens.class_token"] = dclass;
    });
    return tokens;
  }

  NodePtr attention(const NodePtr& qkv) {
    const AttentionSizes sizes{
        batch_, c_.tokens(), c_.heads, c_.dim / c_.heads, static_cast<double>(c_.attention_scale()), mask_};
    const auto out = std::make_shared<Node>(qkv->value.size() / 3);
    Values logsumexp(batch_ * c_.heads * c_.tokens());
    attention_forward<double>(qkv->value, sizes, out->value, logsumexp);
    steps_.emplace_back([=] { attention_backward<double>(out->gradient, qkv->value, sizes, qkv->gradient); });
    return out;
  }

  NodePtr block(const std::string& name, const NodePtr& x) {
    const NodePtr qkv = linear(name + "qkv", layer_norm(name + "attention_norm", x), c_.dim);
    const NodePtr h = add(x, linear(name + "projection", attention(qkv), c_.dim));
    const NodePtr up = gelu(linear(name + "mlp_up", layer_norm(name + "mlp_norm", h), c_.dim));
    return add(h, linear(name + "mlp_down", up, c_.mlp_dim));
  }

  NodePtr pool(const NodePtr& x) {
    const auto weights =
        c_.pool == models::Pool::cls
            ? cls_weights(batch_, c_.tokens())
            : mean_weights<double>(batch_, c_.tokens(), c_.class_token ? 1 : 0, std::span<const double>(mask_));
    const auto y = std::make_shared<Node>(batch_ * c_.dim);
    pool_forward<double>(x->value, weights, batch_, y->value);
    steps_.emplace_back([=, batch = batch_] {
      Values dx(x->value.size());
      pool_backward<double>(y->gradient, weights, batch, dx);
      x->add_to_gradient(dx);
    });
    return y;
  }

  const models::ViTConfig& c_;
  const NamedValues& parameters_;
  size_t batch_;
  Values mask_;
  std::vector<std::function<void()>> steps_;
  NamedValues gradients_;
};

/// A whole Vision Transformer and the mean cross-entropy of a batch.
class ViT {
 public:
  ViT(const models::ViTConfig& config, const NamedValues& parameters) : c_(config), parameters_(parameters) {}

  Values logits(const Values& images, size_t batch, const Values& mask) const {
    return ViTPass(c_, parameters_, batch, mask).logits(images)->value;
  }

  double loss(const Values& images, const Values& labels, const Values& mask, double smoothing) const {
    Values losses(labels.size());
    cross_entropy<double>(logits(images, labels.size(), mask), labels, smoothing, losses);
    return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  }

  /// Of every parameter, those that are not trained included.
  NamedValues gradients(const Values& images, const Values& labels, const Values& mask, double smoothing) const {
    ViTPass pass(c_, parameters_, labels.size(), mask);
    const NodePtr logits = pass.logits(images);
    cross_entropy_gradient<double>(logits->value, labels, smoothing, logits->gradient);
    return pass.backward();
  }

 private:
  models::ViTConfig c_;
  const NamedValues& parameters_;
};

}  // namespace vitcl::reference
