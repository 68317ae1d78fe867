#pragma once

#include <fmt/format.h>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/gelu.hpp"
#include "vitcl/ops/gelu.hpp"

namespace vitcl::selftest {

struct GeluCase final : OpCase {
  size_t rows, dim;
  GeluCase(size_t rows_, size_t dim_) : rows(rows_), dim(dim_) {}

  std::string name() const override { return fmt::format("{}x{}", rows, dim); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const Shape shape{rows, dim};
    return {{"x", Role::input, shape, normal(2)},
            {"y", Role::output, shape},
            {"dy", Role::upstream, shape},
            {"dx", Role::gradient, shape}};
  }
  void forward(Queue& queue, const Tensors& t) const override { ops::gelu_forward(queue, t["x"], t["y"]); }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::gelu_backward(queue, t["dy"], t["x"], modes.input, t["dx"]);
  }
  void reference_forward(Values& v) const override { reference::gelu_forward<double>(v["x"], v["y"]); }
  void reference_backward(Values& v) const override { reference::gelu_backward<double>(v["dy"], v["x"], v["dx"]); }

  /// Of Phi(x), in [0, 1], an erf polynomial gets the last few bits wrong, absolutely; x multiplies that. |x| < 8 here.
  Tolerance tolerance(std::string_view) const override { return rounded(8, 8); }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("gelu", info);
  }

  /// About 20 operations for erf and exp each; every element is read and written once.
  Cost forward_cost() const override { return {24.0 * elements(), 8.0 * elements()}; }
  Cost backward_cost() const override { return {48.0 * elements(), 12.0 * elements()}; }
  double elements() const { return static_cast<double>(rows * dim); }
};

inline CaseList gelu_cases() {
  return make_cases<GeluCase>({{1, 1}, {1, 17}, {7, 31}, {64, 128}, {101, 127}, {1700, 128}});
}

}  // namespace vitcl::selftest
