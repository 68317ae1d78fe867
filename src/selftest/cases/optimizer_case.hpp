#pragma once

#include <fmt/format.h>

#include <cmath>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/optimizer.hpp"
#include "vitcl/ops/optimizer.hpp"

namespace vitcl::selftest {

/// A whole update: the gradients clipped, one optimiser's step, and the average of the parameters.
struct OptimizerCase final : OpCase {
  enum class Rule { adamw, adam, sgd, momentum };
  size_t n;
  Rule rule;
  double max_norm;
  OptimizerCase(size_t n_, Rule rule_, double max_norm_) : n(n_), rule(rule_), max_norm(max_norm_) {}

  std::string name() const override {
    constexpr const char* names[] = {"adamw", "adam", "sgd", "momentum"};
    return fmt::format("{}_{}{}", n, names[static_cast<int>(rule)], max_norm < 1 ? "_clipped" : "");
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    return {{"gradients", Role::input, {n}},
            {"factors", Role::input, {(n + ops::factor_run - 1) / ops::factor_run, 2}, factor_fill()},
            {"table", Role::input, {1, 4}, table_fill()},
            {"cursor", Role::input, {1}, constant(0), DType::i32},
            {"workspace", Role::workspace, {ops::clip_workspace(n)}},
            {"scale", Role::output, {1}},
            {"parameters", Role::update, {n}},
            {"average", Role::update, {n}},
            {"m", Role::update, {n}, normal(0.5)},
            {"v", Role::update, {n}, uniform(0.5, 2)}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    const ops::Update update{.gradients = t["gradients"],
                             .gradient_scale = t["scale"],
                             .factors = t["factors"],
                             .table = t["table"],
                             .cursor = t["cursor"],
                             .parameters = t["parameters"]};
    ops::clip_scale(queue, update, max_norm, t["workspace"]);
    if (is_adam()) {
      ops::adam_with_decay(queue, update, {}, is_decoupled() ? ops::WeightDecay::decoupled : ops::WeightDecay::l2,
                           t["m"], t["v"]);
    } else {
      ops::sgd(queue, update, {.momentum = momentum, .nesterov = rule == Rule::sgd}, t["m"]);
    }
    ops::moving_average(queue, t["parameters"], average_decay, t["average"]);
  }
  void reference_forward(Values& v) const override {
    const ops::AdamOptions options;
    v["scale"] = {reference::clip_scale(v["gradients"], v["factors"], max_norm)};
    const reference::Descent descent{v["scale"][0], v["factors"], is_decoupled()};
    if (is_adam()) {
      reference::adam_with_decay(
          v["gradients"], descent,
          {learning_rate, options.beta1, options.beta2, options.epsilon, correction1, std::sqrt(correction2)},
          v["parameters"], v["m"], v["v"]);
    } else {
      reference::sgd(v["gradients"], descent, {learning_rate, momentum, rule == Rule::sgd}, v["parameters"], v["m"]);
    }
    for (size_t i = 0; i < n; ++i) {
      v["average"][i] = average_decay * v["average"][i] + (1 - average_decay) * v["parameters"][i];
    }
  }
  /// Terms of sizes up to 5, each rounded; the scale's sum of positive terms adds its own, sqrt(n) roundings or so. A
  /// bias-corrected update is below 20 learning rates, as in adam's case.
  Tolerance tolerance(std::string_view name) const override {
    const double scale_roundings = 8 + 0.1 * std::sqrt(static_cast<double>(n));
    if (name == "scale") return rounded(scale_roundings);
    if (name == "m" || name == "v") return rounded(4 + 2 * scale_roundings, 5);
    return {
        .relative = 4 * unit_roundoff,
        .absolute = 4 * unit_roundoff + (8 + 2 * scale_roundings) * unit_roundoff * 20 * learning_rate / correction1};
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("optimizer", info);
  }
  Cost forward_cost() const override { return {24.0 * static_cast<double>(n), 45.0 * static_cast<double>(n)}; }

 private:
  static constexpr double learning_rate = 0.003, momentum = 0.9, average_decay = 0.99;
  static constexpr double correction1 = 0.271, correction2 = 0.002997001;  // after three steps
  bool is_adam() const { return rule == Rule::adamw || rule == Rule::adam; }
  bool is_decoupled() const { return rule == Rule::adamw; }
  static Fill table_fill() {
    return [](SplitMix&, size_t i) {
      const double row[] = {0, learning_rate, correction1, std::sqrt(correction2)};
      return row[i];
    };
  }
  /// Every third row is frozen.
  static Fill factor_fill() {
    return [](SplitMix& random, size_t i) {
      const double factor = i / 2 % 3 == 2 ? 0 : random.uniform();
      return i % 2 == 0 ? factor : 0.1 * random.uniform();
    };
  }
};

inline CaseList optimizer_cases() {
  using enum OptimizerCase::Rule;
  return make_cases<OptimizerCase>({{1, adamw, 1e9},
                                    {31, adamw, 0.5},
                                    {31, adam, 0.5},
                                    {53, sgd, 0.5},
                                    {53, momentum, 1e9},
                                    {5003, adam, 0.5},
                                    {213642, adamw, 0.9}});
}

}  // namespace vitcl::selftest
