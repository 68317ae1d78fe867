#pragma once

#include <fmt/format.h>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/add.hpp"
#include "vitcl/ops/add.hpp"

namespace vitcl::selftest {

struct AddCase final : OpCase {
  size_t rows, dim;
  AddCase(size_t rows_, size_t dim_) : rows(rows_), dim(dim_) {}

  std::string name() const override { return fmt::format("{}x{}", rows, dim); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const Shape shape{rows, dim};
    return {{"a", Role::input, shape},     {"b", Role::input, shape},     {"y", Role::output, shape},
            {"dy", Role::upstream, shape}, {"da", Role::gradient, shape}, {"db", Role::gradient, shape}};
  }
  void forward(Queue& queue, const Tensors& t) const override { ops::add_forward(queue, t["a"], t["b"], t["y"]); }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::add_backward(queue, t["dy"], modes.input, t["da"]);
    ops::add_backward(queue, t["dy"], modes.input, t["db"]);
  }
  void reference_forward(Values& v) const override { reference::add_forward<double>(v["a"], v["b"], v["y"]); }
  void reference_backward(Values& v) const override {
    reference::add_backward<double>(v["dy"], v["da"]);
    reference::add_backward<double>(v["dy"], v["db"]);
  }

  /// One correctly rounded addition; the gradient is a copy.
  Tolerance tolerance(std::string_view name) const override { return name == "y" ? rounded(1) : exact(); }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("add", info);
  }

  Cost forward_cost() const override { return {elements(), 12.0 * elements()}; }
  Cost backward_cost() const override { return {0, 16.0 * elements()}; }
  double elements() const { return static_cast<double>(rows * dim); }
};

inline CaseList add_cases() {
  return make_cases<AddCase>({{1, 1}, {1, 17}, {7, 31}, {64, 128}, {101, 127}, {1700, 64}});
}

}  // namespace vitcl::selftest
