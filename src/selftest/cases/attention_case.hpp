#pragma once

#include <fmt/format.h>

#include <cmath>

#include "ops/attention.hpp"
#include "selftest/cases/dropout_case.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/cases/token_mask.hpp"
#include "selftest/reference/attention.hpp"

namespace vitcl::selftest {

struct AttentionCase final : OpCase {
  size_t batch, tokens, heads, head_dim;
  TokenMask mask;
  size_t leading;
  float scale, rate;
  AttentionCase(size_t batch_, size_t tokens_, size_t heads_, size_t head_dim_, TokenMask mask_ = TokenMask::none,
                size_t leading_ = 1, float rate_ = 0)
      : batch(batch_),
        tokens(tokens_),
        heads(heads_),
        head_dim(head_dim_),
        mask(mask_),
        leading(leading_),
        scale(1 / std::sqrt(static_cast<float>(head_dim_))),
        rate(rate_) {}

  std::string name() const override {
    return fmt::format("{}x{}x{}x{}{}{}", batch, tokens, heads, head_dim, mask_suffix(mask, leading),
                       rate > 0 ? "_dropout" : "");
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const size_t dim = heads * head_dim;
    std::vector<Field> list{
        {"qkv", Role::input, {batch, tokens, 3 * dim}},
        {"out", Role::output, {batch, tokens, dim}},
        {"logsumexp", Role::output, {batch, heads, tokens}},
        {"dout", Role::upstream, {batch, tokens, dim}},
        {"dqkv", Role::gradient, {batch, tokens, 3 * dim}},
        {"workspace", Role::workspace, {ops::attention_workspace_bytes(batch, tokens, heads) / sizeof(float)}}};
    if (mask != TokenMask::none) {
      list.push_back({"mask", Role::input, {batch, tokens - leading}, mask_fill(mask, tokens - leading), DType::u8});
    }
    if (rate > 0) list.push_back(draws_field(batch));
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::attention_forward(queue, t["qkv"], options(t), t["out"], t["logsumexp"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::attention_backward(queue, t["dout"], t["qkv"], t["out"], t["logsumexp"], options(t), modes.input, t["dqkv"],
                            t["workspace"]);
  }
  void reference_forward(Values& v) const override {
    const std::vector<double> kept = factors(v);
    reference::attention_forward<double>(v["qkv"], sizes(v, kept), v["out"], v["logsumexp"]);
  }
  void reference_backward(Values& v) const override {
    const std::vector<double> kept = factors(v);
    reference::attention_backward<double>(v["dout"], v["qkv"], sizes(v, kept), v["dqkv"]);
  }

  /// All inputs are standard normal. A score is off by what the scaled product of two rows is; that is its
  /// probability's relative error, twice with the log-sum-exp's. It weighs values below 5 deviations, or in the
  /// gradient products of D of them; a key is looked at with a total weight of a few queries. Dropout makes all of it
  /// larger.
  Tolerance tolerance(std::string_view name) const override {
    constexpr double deviations = 5, queries = 4;
    const double kept = 1 / (1 - static_cast<double>(rate));
    const double product_error = sum_of_products(head_dim).absolute, d = static_cast<double>(head_dim);
    const double score_error = scale * product_error + 8 * unit_roundoff * (1 + deviations * scale * std::sqrt(d));
    const double sum_error = 8 * unit_roundoff * std::sqrt(static_cast<double>(tokens));
    if (name == "logsumexp") return {4 * unit_roundoff, score_error + sum_error};
    const double weight_error = kept * (2 * score_error + sum_error);
    if (name == "out") return {4 * unit_roundoff, deviations * weight_error};
    const double product = kept * deviations * std::sqrt(d);
    const double slope_error = 2 * (weight_error * product + product_error);
    return {4 * unit_roundoff, queries * deviations * std::max(weight_error, scale * slope_error)};
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    std::vector<std::string> all{""};
    for (const auto& candidate :
         ops::attention_candidates(info.caps, {batch, tokens, heads, head_dim, DType::f32, rate > 0})) {
      if (!candidate.refusal) all.push_back("attention:" + candidate.name);
    }
    return all;
  }

  Cost forward_cost() const override { return {4 * products(), 16 * elements()}; }
  Cost backward_cost() const override { return {10 * products(), 32 * elements()}; }

 private:
  double elements() const { return static_cast<double>(batch * tokens * heads * head_dim); }
  double products() const { return elements() * static_cast<double>(tokens); }
  ops::AttentionOptions options(const Tensors& t) const {
    return {heads, scale, mask == TokenMask::none ? nullptr : &t["mask"], dropout(), rate > 0 ? &t["draws"] : nullptr};
  }
  ops::DropoutOptions dropout() const { return {.rate = rate, .use = 5}; }
  std::vector<double> factors(const Values& v) const {
    if (rate == 0) return {};
    return reference::attention_dropout_factors(v["draws"], heads, tokens, dropout().use, rate);
  }
  reference::AttentionSizes sizes(const Values& v, const std::vector<double>& factors) const {
    reference::AttentionSizes sizes{batch, tokens, heads, head_dim, scale};
    if (mask != TokenMask::none) sizes.mask = v["mask"];
    sizes.factors = factors;
    return sizes;
  }
};

inline CaseList attention_cases() {
  using enum TokenMask;
  return make_cases<AttentionCase>({{1, 1, 1, 1},
                                    {1, 2, 1, 3},
                                    {2, 3, 3, 5, random},
                                    {2, 5, 2, 1, random, 0},
                                    {1, 3, 2, 8, one, 0},
                                    {2, 4, 1, 4, nothing, 0},
                                    {2, 3, 1, 2, all, 2},
                                    {3, 17, 8, 8, random},
                                    {2, 17, 3, 8, nothing},
                                    {2, 19, 2, 13, one},
                                    {1, 50, 3, 16},
                                    {2, 50, 2, 80, random},
                                    {1, 37, 1, 128},
                                    {8, 49, 3, 24, random},
                                    {12, 16, 2, 64, one},
                                    {6, 33, 4, 40, random, 0},
                                    {10, 7, 3, 8, nothing},
                                    {1, 67, 2, 3, nothing, 0},
                                    {100, 17, 8, 8},
                                    {1, 197, 6, 64},
                                    {1, 197, 2, 64, random},
                                    {1, 1000, 1, 16},
                                    {2, 3, 2, 5, none, 1, 0.5F},
                                    {3, 17, 8, 8, random, 1, 0.1F},
                                    {2, 50, 2, 80, none, 1, 0.3F},
                                    {100, 17, 8, 8, none, 1, 0.1F}});
}

}  // namespace vitcl::selftest
