#pragma once

#include <fmt/format.h>

#include <cmath>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/cross_entropy.hpp"
#include "vitcl/ops/cross_entropy.hpp"

namespace vitcl::selftest {

struct SoftmaxCase final : OpCase {
  size_t batch, classes;
  SoftmaxCase(size_t batch_, size_t classes_) : batch(batch_), classes(classes_) {}

  std::string name() const override { return fmt::format("{}x{}", batch, classes); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    return {{"logits", Role::input, {batch, classes}, normal(3)}, {"probabilities", Role::output, {batch, classes}}};
  }
  void forward(Queue& queue, const Tensors& t) const override { ops::softmax(queue, t["logits"], t["probabilities"]); }
  void reference_forward(Values& v) const override {
    reference::softmax<double>(v["logits"], classes, v["probabilities"]);
  }
  /// The difference to the largest logit, up to 24, is off by half an ulp, which the exponential makes relative.
  /// The sum over the classes errs like sqrt(classes) (Higham, Mary 2019).
  Tolerance tolerance(std::string_view) const override {
    return rounded(24 + 2 * std::sqrt(static_cast<double>(classes)));
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return row_shapes("softmax", info);
  }
  Cost forward_cost() const override { return {40 * elements(), 8 * elements()}; }
  double elements() const { return static_cast<double>(batch * classes); }
};

inline CaseList softmax_cases() { return make_cases<SoftmaxCase>({{1, 1}, {3, 2}, {7, 17}, {2, 1000}, {100, 10}}); }

}  // namespace vitcl::selftest
