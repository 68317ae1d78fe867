#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/cross_entropy.hpp"
#include "vitcl/ops/cross_entropy.hpp"

namespace vitcl::selftest {

struct CrossEntropyCase final : OpCase {
  size_t batch, classes;
  float smoothing;
  CrossEntropyCase(size_t batch_, size_t classes_, float smoothing_)
      : batch(batch_), classes(classes_), smoothing(smoothing_) {}

  std::string name() const override { return fmt::format("{}x{}{}", batch, classes, smoothing > 0 ? "_smoothed" : ""); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const Shape shape{batch, classes}, samples{batch};
    const auto last = static_cast<int64_t>(classes) - 1;
    return {{"logits", Role::input, shape, normal(3)},
            {"labels", Role::input, samples, integers(0, last), DType::i32},
            {"loss", Role::output, samples},
            {"correct", Role::output, samples, normal(), DType::i32},
            {"dlogits", Role::output, shape}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::cross_entropy(queue, t["logits"], t["labels"], smoothing, t["loss"], t["correct"], &t["dlogits"]);
  }
  void reference_forward(Values& v) const override {
    reference::cross_entropy<double>(v["logits"], v["labels"], double{smoothing}, v["loss"]);
    reference::cross_entropy_gradient<double>(v["logits"], v["labels"], double{smoothing}, v["dlogits"]);
    reference::count_correct(v["logits"], v["labels"], v["correct"]);
  }
  /// exp and log err by an ulp, differences of logits (up to 12 in size) by half of one; a smoothed loss sums
  /// `classes` of them with weights 1 / classes. A gradient is the difference of numbers in [0, 1], over the batch.
  /// The sum over the classes errs like sqrt(classes) (Higham, Mary 2019).
  Tolerance tolerance(std::string_view name) const override {
    if (name == "correct") return exact();
    if (name == "dlogits")
      return rounded(8 + 2 * std::sqrt(static_cast<double>(classes)), 1 / static_cast<double>(batch));
    return rounded(8 + 2 * std::sqrt(static_cast<double>(classes)), 12);
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return row_shapes("cross_entropy", info);
  }
  Cost forward_cost() const override { return {50 * elements(), 8 * elements()}; }
  double elements() const { return static_cast<double>(batch * classes); }
};

/// Targets that are any numbers up to 2, half of them 0.
struct SoftCrossEntropyCase final : OpCase {
  size_t batch, classes;
  SoftCrossEntropyCase(size_t batch_, size_t classes_) : batch(batch_), classes(classes_) {}

  std::string name() const override { return fmt::format("{}x{}_soft", batch, classes); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const Shape shape{batch, classes}, samples{batch};
    const auto last = static_cast<int64_t>(classes) - 1;
    const Fill target = [](SplitMix& random, size_t) { return std::max(0.0, 4 * random.uniform() - 2); };
    return {{"logits", Role::input, shape, normal(3)},
            {"targets", Role::input, shape, target},
            {"labels", Role::input, samples, integers(0, last), DType::i32},
            {"loss", Role::output, samples},
            {"correct", Role::output, samples, normal(), DType::i32},
            {"dlogits", Role::output, shape}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::soft_cross_entropy(queue, t["logits"], t["targets"], t["labels"], t["loss"], t["correct"], &t["dlogits"]);
  }
  void reference_forward(Values& v) const override {
    reference::soft_cross_entropy<double>(v["logits"], v["targets"], v["loss"]);
    reference::soft_cross_entropy_gradient<double>(v["logits"], v["targets"], batch, v["dlogits"]);
    reference::count_correct(v["logits"], v["labels"], v["correct"]);
  }
  /// As with labels; but the terms of a loss, and a gradient, are as large as the sum of the targets, up to 2 a class.
  Tolerance tolerance(std::string_view name) const override {
    const auto n = static_cast<double>(classes);
    if (name == "correct") return exact();
    if (name == "dlogits") return rounded(8 + 2 * std::sqrt(n), 2 * n / static_cast<double>(batch));
    return rounded(8 + 2 * std::sqrt(n), 24 * n);
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return row_shapes("cross_entropy", info);
  }
  Cost forward_cost() const override {
    const auto elements = static_cast<double>(batch * classes);
    return {50 * elements, 12 * elements};
  }
};

inline CaseList cross_entropy_cases() {
  CaseList list = make_cases<CrossEntropyCase>(
      {{1, 1, 0}, {3, 2, 0}, {5, 10, 0.1F}, {7, 17, 0}, {2, 1000, 0.1F}, {37, 31, 0.3F}, {100, 10, 0}});
  const CaseList soft = make_cases<SoftCrossEntropyCase>({{1, 1}, {3, 2}, {7, 17}, {2, 1000}, {37, 31}, {100, 10}});
  list.insert(list.end(), soft.begin(), soft.end());
  return list;
}

}  // namespace vitcl::selftest
