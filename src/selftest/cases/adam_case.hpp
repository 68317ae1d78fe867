#pragma once

#include <fmt/format.h>

#include <cmath>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/adam.hpp"
#include "vitcl/ops/adam.hpp"

namespace vitcl::selftest {

struct AdamCase final : OpCase {
  size_t n;
  int step;  ///< counted from 1
  AdamCase(size_t n_, int step_) : n(n_), step(step_) {}

  std::string name() const override { return fmt::format("{}_step{}", n, step); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    return {{"gradients", Role::input, {n}},
            {"table", Role::input, {3, 4}, table_fill()},
            {"cursor", Role::input, {1}, constant(used_row), DType::i32},
            {"parameters", Role::update, {n}},
            {"m", Role::update, {n}, normal(0.5)},
            {"v", Role::update, {n}, uniform(0.5, 2)}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::adam(queue, t["gradients"], {}, t["table"], t["cursor"], t["parameters"], t["m"], t["v"]);
  }
  void reference_forward(Values& v) const override {
    const ops::AdamOptions options;
    reference::adam<double>(
        v["gradients"],
        {learning_rate, options.beta1, options.beta2, options.epsilon, correction1(), std::sqrt(correction2())},
        v["parameters"], v["m"], v["v"]);
  }
  /// m and v: the new value from two terms of size 1. The update, below 20 learning rates here, gathers eight roundings
  /// and the parameter one more.
  Tolerance tolerance(std::string_view name) const override {
    if (name != "parameters") return rounded(4, 1);
    return {.relative = 1.5 * unit_roundoff, .absolute = 8 * unit_roundoff * 20 * learning_rate / correction1()};
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("adam", info);
  }
  Cost forward_cost() const override { return {14.0 * static_cast<double>(n), 28.0 * static_cast<double>(n)}; }

 private:
  static constexpr int used_row = 1;
  static constexpr double learning_rate = 0.003;
  double correction1() const { return 1 - std::pow(ops::AdamOptions().beta1, step); }
  double correction2() const { return 1 - std::pow(ops::AdamOptions().beta2, step); }
  /// Rows that the step must not use hold zeros: their use would divide by 0.
  Fill table_fill() const {
    return [this](SplitMix&, size_t i) {
      const double row[] = {0, learning_rate, correction1(), std::sqrt(correction2())};
      return i / 4 == used_row ? row[i % 4] : 0;
    };
  }
};

inline CaseList adam_cases() { return make_cases<AdamCase>({{1, 1}, {17, 2}, {31, 1000}, {1009, 3}, {213642, 7}}); }

}  // namespace vitcl::selftest
