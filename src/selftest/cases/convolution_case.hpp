#pragma once

#include <fmt/format.h>

#include "ops/gemm_register_tile.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/convolution.hpp"
#include "vitcl/ops/convolution.hpp"
#include "vitcl/ops/linear.hpp"

namespace vitcl::selftest {

struct ConvolutionCase final : OpCase {
  size_t batch, side, in, out;
  ops::UnfoldOptions options;
  ConvolutionCase(size_t batch_, size_t side_, size_t in_, size_t out_, size_t window, size_t stride, size_t padding)
      : batch(batch_), side(side_), in(in_), out(out_), options{window, stride, padding, -0.5F} {}

  std::string name() const override {
    return fmt::format("{}x{}x{}x{}_window{}_stride{}_padding{}", batch, side, in, out, options.window, options.stride,
                       options.padding);
  }
  std::vector<Field> fields(const DeviceCaps& caps) const override {
    const Shape x{batch, side * side, in}, y{batch, grid() * grid(), out}, w{out, length()};
    const size_t scratch = ops::convolution_workspace_bytes(caps, x, out, options) / sizeof(float);
    return {{"x", Role::input, x},
            {"w", Role::input, w},
            {"bias", Role::input, {out}},
            {"y", Role::output, y},
            {"dy", Role::upstream, y},
            {"dx", Role::gradient, x},
            {"dw", Role::parameter_gradient, w},
            {"dbias", Role::parameter_gradient, {out}},
            {"workspace", Role::workspace, {scratch + 1}}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::convolution_forward(queue, t["x"], t["w"], &t["bias"], options, t["y"], t["workspace"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::convolution_backward_input(queue, t["dy"], t["w"], options, modes.input, t["dx"], t["workspace"]);
    ops::convolution_backward_weight(queue, t["dy"], t["x"], options, modes.parameter, t["dw"], t["workspace"]);
    ops::bias_backward(queue, t["dy"], modes.parameter, t["dbias"], t["workspace"]);
  }
  void reference_forward(Values& v) const override {
    reference::convolution_forward<double>(v["x"], v["w"], v["bias"], sizes(), v["y"]);
  }
  void reference_backward(Values& v) const override {
    reference::convolution_backward<double>(v["dy"], v["x"], v["w"], sizes(), v["dx"], v["dw"], v["dbias"]);
  }

  /// Sums of products of standard normal factors. A token lies in at most as many windows as a window has places.
  Tolerance tolerance(std::string_view name) const override {
    const size_t windows = batch * grid() * grid();
    if (name == "y") return sum_of_products(length() + 1);
    if (name == "dx") return sum_of_products(options.window * options.window * out);
    return name == "dw" ? sum_of_products(windows) : sum_of(windows);
  }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    std::vector<std::string> all{"convolution:windows"};
    if (ops::refuse_register_tiles(info.caps)) return all;
    for (const ops::RegisterTile& tile : ops::register_tiles) all.push_back("convolution:" + std::string(tile.name));
    return all;
  }

  Cost forward_cost() const override { return {2 * products(), 4 * elements()}; }
  Cost backward_cost() const override { return {4 * products(), 8 * elements()}; }

 private:
  reference::ConvolutionSizes sizes() const { return {batch, side, in, out, options}; }
  size_t grid() const { return options.grid(side); }
  size_t length() const { return sizes().length(); }
  double products() const { return static_cast<double>(batch * grid() * grid() * out * length()); }
  double elements() const {
    return static_cast<double>(batch * (side * side * in + grid() * grid() * out) + out * length());
  }
};

inline CaseList convolution_cases() {
  return make_cases<ConvolutionCase>({{1, 1, 1, 1, 1, 1, 0},
                                      {1, 1, 3, 2, 3, 1, 1},
                                      {2, 5, 1, 7, 3, 2, 1},
                                      {3, 7, 17, 5, 3, 1, 1},
                                      {2, 6, 23, 33, 3, 2, 1},
                                      {1, 4, 6, 31, 3, 1, 2},
                                      {2, 8, 5, 3, 2, 3, 0},
                                      {1, 5, 13, 19, 5, 1, 0},
                                      {1, 2, 401, 3, 3, 1, 1},
                                      {1, 2, 3, 521, 3, 1, 1},
                                      {13, 14, 32, 48, 3, 1, 1},
                                      {100, 7, 64, 64, 3, 1, 1}});
}

}  // namespace vitcl::selftest
