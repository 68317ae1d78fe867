#pragma once

#include <fmt/format.h>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/scale.hpp"
#include "vitcl/ops/scale.hpp"

namespace vitcl::selftest {

struct ScaleCase final : OpCase {
  size_t n;
  float factor;
  ScaleCase(size_t n_, float factor_) : n(n_), factor(factor_) {}

  std::string name() const override { return fmt::format("{}_by_{}", n, factor < 1 ? "fraction" : "multiple"); }
  std::vector<Field> fields(const DeviceCaps&) const override { return {{"x", Role::update, {n}}}; }
  void forward(Queue& queue, const Tensors& t) const override { ops::scale(queue, t["x"], factor); }
  void reference_forward(Values& v) const override { reference::scale<double>(v["x"], double{factor}); }
  /// The factors are powers of two.
  Tolerance tolerance(std::string_view) const override { return exact(); }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("scale", info);
  }
  Cost forward_cost() const override { return {static_cast<double>(n), 8.0 * static_cast<double>(n)}; }
};

inline CaseList scale_cases() {
  return make_cases<ScaleCase>({{1, 0.5F}, {17, 1024}, {31, 0x1p-16F}, {1009, 0x1p16F}, {213642, 0x1p-16F}});
}

}  // namespace vitcl::selftest
