#pragma once

#include <fmt/format.h>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/unfold.hpp"
#include "vitcl/ops/unfold.hpp"

namespace vitcl::selftest {

struct UnfoldCase final : OpCase {
  size_t batch, side, channels;
  ops::UnfoldOptions options;
  UnfoldCase(size_t batch_, size_t side_, size_t channels_, size_t window, size_t stride, size_t padding)
      : batch(batch_), side(side_), channels(channels_), options{window, stride, padding, -0.5F} {}

  std::string name() const override {
    return fmt::format("{}x{}x{}_window{}_stride{}_padding{}", batch, side, channels, options.window, options.stride,
                       options.padding);
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const size_t grid = options.grid(side);
    const Shape x{batch, side * side, channels},
        windows{batch, grid * grid, options.window * options.window * channels};
    return {{"x", Role::input, x},
            {"windows", Role::output, windows},
            {"dwindows", Role::upstream, windows},
            {"dx", Role::gradient, x}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::unfold_forward(queue, t["x"], options, t["windows"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::unfold_backward(queue, t["dwindows"], options, modes.input, t["dx"]);
  }
  void reference_forward(Values& v) const override {
    reference::unfold_forward<double>(v["x"], sources(), double{options.pad_value}, v["windows"]);
  }
  void reference_backward(Values& v) const override {
    reference::unfold_backward<double>(v["dwindows"], sources(), v["dx"]);
  }
  /// Copies; or a sum over the windows that hold a token, at most as many as a window has places.
  Tolerance tolerance(std::string_view name) const override {
    return name == "windows" ? exact() : sum_of(options.window * options.window);
  }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("unfold", info);
  }
  Cost forward_cost() const override { return {0, 4 * (tokens() + windows())}; }
  Cost backward_cost() const override { return {windows(), 4 * (tokens() + windows())}; }

 private:
  std::vector<size_t> sources() const { return reference::unfold_sources(batch, side, channels, options); }
  double tokens() const { return static_cast<double>(batch * side * side * channels); }
  double windows() const {
    const size_t grid = options.grid(side) * options.window;
    return static_cast<double>(batch * grid * grid * channels);
  }
};

inline CaseList unfold_cases() {
  return make_cases<UnfoldCase>({{1, 1, 1, 1, 1, 0},
                                 {2, 5, 3, 3, 2, 1},
                                 {1, 6, 17, 3, 2, 1},
                                 {3, 7, 16, 3, 1, 1},
                                 {2, 7, 5, 2, 3, 0},
                                 {2, 4, 31, 5, 2, 4},
                                 {1, 2, 2, 3, 1, 2},
                                 {100, 14, 32, 3, 2, 1}});
}

}  // namespace vitcl::selftest
