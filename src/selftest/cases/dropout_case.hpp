#pragma once

#include <fmt/format.h>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/dropout.hpp"
#include "vitcl/ops/dropout.hpp"

namespace vitcl::selftest {

/// What keys the random numbers of `batch` samples: any words.
inline Field draws_field(size_t batch) {
  return {"draws", Role::input, {batch, 4}, integers(-0x7FFFFFFF, 0x7FFFFFFF), DType::i32};
}

struct DropoutCase final : OpCase {
  size_t samples, size;
  ops::DropoutOptions options;
  DropoutCase(size_t samples_, size_t size_, float rate, bool whole_samples = false)
      : samples(samples_), size(size_), options{.rate = rate, .use = 3, .whole_samples = whole_samples} {}

  std::string name() const override {
    return fmt::format("{}x{}_{:.0f}percent{}", samples, size, 100 * options.rate,
                       options.whole_samples ? "_of_samples" : "");
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const Shape shape{samples, size};
    return {{"x", Role::input, shape},
            draws_field(samples),
            {"y", Role::output, shape},
            {"dy", Role::upstream, shape},
            {"dx", Role::gradient, shape}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::dropout_forward(queue, t["x"], t["draws"], options, t["y"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::dropout_backward(queue, t["dy"], t["draws"], options, modes.input, t["dx"]);
  }
  void reference_forward(Values& v) const override { reference::dropout<double>(v["x"], factors(v["draws"]), v["y"]); }
  void reference_backward(Values& v) const override {
    reference::dropout<double>(v["dy"], factors(v["draws"]), v["dx"]);
  }
  /// The factor and the product are rounded, and the sum with what was there; |x| < 6.
  Tolerance tolerance(std::string_view) const override {
    return rounded(3, 6 / (1 - static_cast<double>(options.rate)));
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("dropout", info);
  }
  /// A random block of 130 operations for four elements.
  Cost forward_cost() const override { return {35 * elements(), 8 * elements()}; }
  Cost backward_cost() const override { return {35 * elements(), 12 * elements()}; }

 private:
  double elements() const { return static_cast<double>(samples * size); }
  std::vector<double> factors(const std::vector<double>& draws) const {
    const auto& make = options.whole_samples ? reference::drop_path_factors : reference::dropout_factors;
    return make(draws, size, options.use, options.rate);
  }
};

inline CaseList dropout_cases() {
  return make_cases<DropoutCase>({{1, 1, 0.5F},
                                  {3, 17, 0.1F},
                                  {5, 31, 0.25F, true},
                                  {2, 131, 0},
                                  {1, 2999, 0.3F},
                                  {7, 1091, 0.9F},
                                  {100, 1088, 0.1F, true},
                                  {100, 1088, 0.1F}});
}

}  // namespace vitcl::selftest
