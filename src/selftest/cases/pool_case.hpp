#pragma once

#include <fmt/format.h>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/pool.hpp"
#include "vitcl/ops/pool.hpp"

namespace vitcl::selftest {

struct PoolCase final : OpCase {
  enum class Kind { cls, mean, masked_mean };
  Kind kind;
  size_t batch, tokens, dim, leading;
  PoolCase(Kind kind_, size_t batch_, size_t tokens_, size_t dim_, size_t leading_)
      : kind(kind_), batch(batch_), tokens(tokens_), dim(dim_), leading(leading_) {}

  std::string name() const override {
    constexpr const char* names[] = {"cls", "mean", "masked_mean"};
    return fmt::format("{}_{}x{}x{}_leading{}", names[static_cast<size_t>(kind)], batch, tokens, dim, leading);
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    std::vector<Field> list = {{"tokens", Role::input, {batch, tokens, dim}},
                               {"y", Role::output, {batch, dim}},
                               {"dy", Role::upstream, {batch, dim}},
                               {"dtokens", Role::gradient, {batch, tokens, dim}}};
    if (kind == Kind::masked_mean) {
      list.push_back({"mask", Role::input, {batch, tokens - leading}, mask_fill(), DType::u8});
    }
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    if (kind == Kind::cls) return ops::cls_pool_forward(queue, t["tokens"], t["y"]);
    ops::mean_pool_forward(queue, t["tokens"], leading, mask(t), t["y"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    if (kind == Kind::cls) return ops::cls_pool_backward(queue, t["dy"], modes.input, t["dtokens"]);
    ops::mean_pool_backward(queue, t["dy"], leading, mask(t), modes.input, t["dtokens"]);
  }
  void reference_forward(Values& v) const override {
    reference::pool_forward<double>(v["tokens"], weights(v), batch, v["y"]);
  }
  void reference_backward(Values& v) const override {
    reference::pool_backward<double>(v["dy"], weights(v), batch, v["dtokens"]);
  }
  /// Copies; or a sum over the tokens, divided, of terms of size 1 / tokens.
  Tolerance tolerance(std::string_view name) const override {
    if (kind == Kind::cls) return exact();
    return name == "y" ? sum_of_products(tokens, 1, 1) : rounded(3);
  }
  bool exact_on_integers() const override { return kind == Kind::cls; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("pool", info);
  }
  Cost forward_cost() const override { return {elements(), 4 * elements()}; }
  Cost backward_cost() const override { return {elements(), 4 * elements()}; }
  double elements() const { return static_cast<double>(batch * tokens * dim); }

 private:
  /// About half are visible, and none in the first image.
  Fill mask_fill() const {
    return [this](SplitMix& random, size_t i) {
      const double drawn = random.uniform() < 0.5 ? 1 : 0;
      return i < tokens - leading ? 0 : drawn;
    };
  }
  const Tensor* mask(const Tensors& t) const { return kind == Kind::masked_mean ? &t["mask"] : nullptr; }
  std::vector<double> weights(const Values& v) const {
    if (kind == Kind::cls) return reference::cls_weights(batch, tokens);
    const std::vector<double> none;
    return reference::mean_weights<double>(batch, tokens, leading, kind == Kind::masked_mean ? v["mask"] : none);
  }
};

inline CaseList pool_cases() {
  using enum PoolCase::Kind;
  return make_cases<PoolCase>({{cls, 1, 1, 1, 0},
                               {cls, 3, 5, 17, 0},
                               {cls, 100, 17, 64, 0},
                               {mean, 1, 1, 1, 0},
                               {mean, 2, 6, 31, 1},
                               {mean, 100, 17, 64, 1},
                               {masked_mean, 2, 5, 3, 0},
                               {masked_mean, 3, 8, 33, 1},
                               {masked_mean, 100, 17, 64, 1}});
}

}  // namespace vitcl::selftest
