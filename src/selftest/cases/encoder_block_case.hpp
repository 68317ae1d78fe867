#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "selftest/cases/dropout_case.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/cases/token_mask.hpp"
#include "selftest/reference/encoder_block.hpp"
#include "vitcl/ops/encoder_block.hpp"

namespace vitcl::selftest {

struct EncoderBlockCase final : OpCase {
  struct Options {
    bool qkv_bias = false;
    bool first_row_only = false;
    bool wants_dx = true;
    TokenMask mask = TokenMask::none;
    size_t leading = 1;
    size_t parts = 0;
    float drop_path = 0, dropout = 0;
  };
  size_t batch, tokens, heads, head_dim, mlp_dim;
  Options options;
  EncoderBlockCase(size_t batch_, size_t tokens_, size_t heads_, size_t head_dim_, size_t mlp_dim_)
      : EncoderBlockCase(batch_, tokens_, heads_, head_dim_, mlp_dim_, {}) {}
  EncoderBlockCase(size_t batch_, size_t tokens_, size_t heads_, size_t head_dim_, size_t mlp_dim_, Options options_)
      : batch(batch_), tokens(tokens_), heads(heads_), head_dim(head_dim_), mlp_dim(mlp_dim_), options(options_) {}

  ops::EncoderBlockShape shape() const {
    return {.batch = batch,
            .tokens = tokens,
            .queries = options.first_row_only ? 1 : tokens,
            .heads = heads,
            .dim = heads * head_dim,
            .mlp_dim = mlp_dim,
            .qkv_bias = options.qkv_bias,
            .parts = options.parts};
  }
  std::string name() const override {
    return fmt::format("{}x{}x{}x{}x{}{}{}{}{}{}{}{}", batch, tokens, heads, head_dim, mlp_dim,
                       options.qkv_bias ? "_qkv_bias" : "", options.first_row_only ? "_first_row" : "",
                       options.wants_dx ? "" : "_no_dx", mask_suffix(options.mask, options.leading),
                       options.parts == 0 ? "" : fmt::format("_{}_parts", options.parts),
                       options.drop_path > 0 ? "_drop_path" : "", options.dropout > 0 ? "_dropout" : "");
  }
  std::vector<Field> fields(const DeviceCaps& caps) const override {
    const auto s = shape();
    const Shape x{batch, tokens, s.dim}, y{batch, s.queries, s.dim};
    std::vector<Field> list{
        {"x", Role::input, x, spread()},
        {"y", Role::output, y},
        {"dy", Role::upstream, y},
        {"saved", Role::saved, {ops::encoder_block_saved_elements(s)}},
        {"workspace", Role::workspace, {ops::encoder_block_workspace_bytes(caps, s) / sizeof(float) + 1}}};
    if (options.wants_dx) list.push_back({"dx", Role::gradient, x});
    if (masked()) {
      const size_t columns = tokens - options.leading;
      list.push_back({"mask", Role::input, {batch, columns}, mask_fill(options.mask, columns), DType::u8});
    }
    if (drops()) list.push_back(draws_field(batch));
    for (size_t p = 0; p < names.size(); ++p) {
      const Shape parameter = ops::block_parameter_shape(s, static_cast<ops::BlockParameter>(p));
      if (!has(p)) continue;
      list.push_back({names[p], Role::input, parameter, parameter_fill(names[p], parameter)});
      list.push_back({fmt::format("d{}", names[p]), Role::parameter_gradient, parameter});
    }
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::encoder_block_forward(queue, shape(), op_options(t), t["x"], tensors(t, ""), t["y"], t["saved"],
                               t["workspace"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::encoder_block_backward(queue, shape(), op_options(t), t["dy"], t["x"], tensors(t, ""), t["saved"], modes.input,
                                options.wants_dx ? t["dx"] : Tensor(), modes.parameter, tensors(t, "d"),
                                t["workspace"]);
  }
  void reference_forward(Values& v) const override {
    const std::vector<double> kept = factors(v);
    reference_block(v, kept).forward(v["y"]);
  }
  void reference_backward(Values& v) const override {
    const std::vector<double> kept = factors(v);
    const auto block = reference_block(v, kept);
    block.backward(v["dy"], options.wants_dx ? std::span(v["dx"]) : std::span<double>(),
                   spans<std::span<double>>(v, "d"));
  }

  /// Every value inside is of deviation 1 or so: the weights' deviation is 1 / sqrt(in), and x is pulled apart so that
  /// no norm magnifies. The partial sums of the n random products that make such a value grow to 1 like sqrt(k / n),
  /// and their roundings are independent: together sqrt(n) u, of which 8 deviations are allowed. A step passes the
  /// errors of the steps before on, neither much smaller nor larger, so that a chain is off like one sum of all its
  /// roundings. Backward goes along the chain twice and reads what forward left. A parameter's gradient sums over all
  /// rows, whose errors are independent. What dropout keeps is larger.
  Tolerance tolerance(std::string_view name) const override {
    const double kept = 1 / (1 - static_cast<double>(std::max(options.drop_path, options.dropout)));
    const auto error = [=](double roundings) { return Tolerance{0, kept * 8 * unit_roundoff * std::sqrt(roundings)}; };
    if (name == "y") return error(roundings());
    if (name == "dx") return error(3 * roundings());
    const auto rows = static_cast<double>(batch * tokens), live = static_cast<double>(batch * shape().queries);
    return error(live * (3 * roundings() + rows));
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    if (ops::refuse_encoder_block(info.caps, shape())) return {};
    if (info.caps.slow_compiler) return is_representative() ? std::vector<std::string>{""} : std::vector<std::string>{};
    // The tile of other processors, where there is more than one group of images.
    if (batch >= 13) return {"", "encoder_block:tile_6x64"};
    return {""};
  }

  Cost forward_cost() const override {
    const auto products = ops::encoder_block_products(shape());
    return {products.linear + products.attention, bytes()};
  }
  Cost backward_cost() const override {
    const auto products = ops::encoder_block_products(shape());
    return {2 * products.linear + 2.5 * products.attention, 2 * bytes()};
  }

  bool drops() const { return options.drop_path > 0 || options.dropout > 0; }
  bool masked() const { return options.mask != TokenMask::none; }
  ops::EncoderBlockOptions op_options(const Tensors& t) const {
    return {scale(), epsilon,   masked() ? &t["mask"] : nullptr, options.drop_path, attention_use,
            mlp_use, dropout(), drops() ? &t["draws"] : nullptr};
  }
  /// The parameters, or with "d" their gradients.
  ops::BlockTensors tensors(const Tensors& t, const std::string& prefix) const {
    ops::BlockTensors tensors;
    for (size_t p = 0; p < names.size(); ++p) {
      if (has(p)) tensors[p] = t[prefix + names[p]];
    }
    return tensors;
  }

 private:
  static constexpr std::array names = {"norm1_weight",      "norm1_bias",      "qkv_weight",   "qkv_bias",
                                       "projection_weight", "projection_bias", "norm2_weight", "norm2_bias",
                                       "up_weight",         "up_bias",         "down_weight",  "down_bias"};
  static_assert(names.size() == ops::block_parameter_count);
  static constexpr uint32_t attention_use = 4, mlp_use = 7;
  static constexpr float epsilon = 0.05F;  // large enough to tell the results apart from those without

  /// Odd sizes with every option, and the article's: what there is time for where each shape takes half a minute.
  bool is_representative() const { return (mlp_dim == 17 && masked()) || mlp_dim == 128; }
  bool has(size_t parameter) const {
    return options.qkv_bias || static_cast<ops::BlockParameter>(parameter) != ops::BlockParameter::qkv_bias;
  }
  float scale() const { return 1 / std::sqrt(static_cast<float>(head_dim)); }
  double bytes() const {
    const auto s = shape();
    return static_cast<double>(4 * (ops::encoder_block_saved_elements(s) + 2 * batch * tokens * s.dim));
  }

  Fill spread() const {
    return [dim = heads * head_dim](SplitMix& random, size_t i) {
      return (i % dim % 2 == 0 ? 1.5 : -1.5) + 0.7 * random.normal();
    };
  }
  static Fill parameter_fill(std::string_view name, const Shape& shape) {
    if (shape.rank() == 2) return normal(1 / std::sqrt(static_cast<double>(shape[1])));
    return name.ends_with("weight") ? normal(0.3, 1) : normal(0.5);
  }

  /// Forward: the linear layers; the scores, whose error is their probability's and the sum's; the mean of the values;
  /// a norm's dozen roundings of terms below 4, twice, and GELU's: 400.
  double roundings() const { return static_cast<double>(3 * heads * head_dim + mlp_dim + 4 * head_dim + tokens + 400); }

  template <class Span, class V>
  reference::EncoderBlockParameters<Span> spans(V& values, const std::string& prefix) const {
    std::array<Span, names.size()> list;
    for (size_t p = 0; p < list.size(); ++p) {
      if (has(p)) list[p] = values[prefix + names[p]];
    }
    return std::apply([](const auto&... span) { return reference::EncoderBlockParameters<Span>{span...}; }, list);
  }
  ops::DropoutOptions dropout() const { return {.rate = options.dropout, .use = 5}; }
  std::vector<double> factors(const Values& v) const {
    if (options.dropout == 0) return {};
    return reference::attention_dropout_factors(v["draws"], heads, tokens, dropout().use, options.dropout);
  }
  reference::EncoderBlock reference_block(const Values& v, const std::vector<double>& kept) const {
    reference::AttentionSizes attention{batch, tokens, heads, head_dim, static_cast<double>(scale())};
    if (masked()) attention.mask = v["mask"];
    attention.factors = kept;
    const auto path_factors = [&](uint32_t use) {
      if (options.drop_path == 0) return std::vector<double>();
      return reference::drop_path_factors(v["draws"], 1, use, options.drop_path);
    };
    return {v["x"],
            {attention, shape().queries, mlp_dim, double{epsilon}, path_factors(attention_use), path_factors(mlp_use)},
            spans<std::span<const double>>(v, "")};
  }
};

/// Backward, an image more than a part takes in one group makes the part's gradients add up (208 rows or less, some
/// 12 images, at least 4 parts): see the cases of 101 tokens and more, of 100 images, and of one part.
inline CaseList encoder_block_cases() {
  using enum TokenMask;
  return make_cases<EncoderBlockCase>({{1, 1, 1, 1, 1, {.qkv_bias = true}},
                                       {1, 2, 1, 3, 2},
                                       {2, 3, 1, 5, 17, {.qkv_bias = true, .mask = random, .dropout = 0.3F}},
                                       {2, 3, 1, 4, 3, {.mask = all, .leading = 2}},
                                       {2, 4, 1, 3, 13, {.mask = random, .leading = 0}},
                                       {2, 4, 2, 3, 5, {.mask = nothing, .leading = 0}},
                                       {1, 3, 2, 4, 5, {.first_row_only = true, .mask = one, .leading = 0}},
                                       {2, 3, 1, 5, 19, {.qkv_bias = true, .first_row_only = true}},
                                       {2, 2, 2, 2, 3, {.first_row_only = true, .wants_dx = false, .mask = random}},
                                       {5, 7, 3, 5, 11, {.qkv_bias = true, .wants_dx = false}},
                                       {13, 5, 3, 4, 41, {.first_row_only = true, .mask = random}},
                                       {13, 17, 2, 13, 40},
                                       {13, 17, 2, 13, 40, {.parts = 8}},
                                       {13, 17, 2, 13, 40, {.parts = 1}},
                                       {3, 2, 1, 3, 4, {.drop_path = 0.5F}},
                                       {13, 5, 3, 4, 41, {.first_row_only = true, .drop_path = 0.3F}},
                                       {13, 17, 2, 13, 40, {.mask = random, .drop_path = 0.3F}},
                                       {3, 5, 2, 3, 4, {.dropout = 0.5F}},
                                       {13, 5, 3, 4, 41, {.first_row_only = true, .dropout = 0.3F}},
                                       {13, 17, 2, 13, 40, {.mask = random, .drop_path = 0.2F, .dropout = 0.3F}},
                                       {5, 49, 3, 9, 97, {.mask = nothing}},
                                       {13, 101, 1, 3, 29, {.qkv_bias = true, .mask = random}},
                                       {5, 149, 1, 3, 7, {.mask = one}},
                                       {13, 101, 2, 4, 24, {.first_row_only = true, .mask = all}},
                                       {100, 50, 3, 4, 31},
                                       {800, 2, 1, 5, 9},
                                       {3, 7, 4, 64, 530},
                                       {2, 7, 1, 64, 65, {.qkv_bias = true}},
                                       {100, 17, 8, 8, 128},
                                       {100, 17, 8, 8, 128, {.first_row_only = true}}});
}

}  // namespace vitcl::selftest
