#pragma once

#include <fmt/format.h>

#include "ops/gemm.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/linear.hpp"
#include "vitcl/ops/linear.hpp"

namespace vitcl::selftest {

struct LinearCase final : OpCase {
  size_t rows, in, out;
  bool has_bias;
  LinearCase(size_t rows_, size_t in_, size_t out_, bool has_bias_ = true)
      : rows(rows_), in(in_), out(out_), has_bias(has_bias_) {}

  std::string name() const override { return fmt::format("{}x{}x{}{}", rows, in, out, has_bias ? "" : "_no_bias"); }
  std::vector<Field> fields(const DeviceCaps& caps) const override {
    std::vector<Field> fields{{"x", Role::input, {rows, in}},     {"w", Role::input, {out, in}},
                              {"y", Role::output, {rows, out}},   {"dy", Role::upstream, {rows, out}},
                              {"dx", Role::gradient, {rows, in}}, {"dw", Role::parameter_gradient, {out, in}}};
    if (has_bias) {
      fields.push_back({"bias", Role::input, {out}});
      fields.push_back({"dbias", Role::parameter_gradient, {out}});
    }
    const size_t scratch = ops::linear_workspace_bytes(caps, rows, in, out) / sizeof(float);
    fields.push_back({"workspace", Role::workspace, {scratch + 1}});
    return fields;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    const Tensor* bias = has_bias ? &t["bias"] : nullptr;
    ops::linear_forward(queue, t["x"], t["w"], bias, t["y"], t["workspace"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::linear_backward_input(queue, t["dy"], t["w"], modes.input, t["dx"], t["workspace"]);
    ops::linear_backward_weight(queue, t["dy"], t["x"], modes.parameter, t["dw"], t["workspace"]);
    if (has_bias) ops::bias_backward(queue, t["dy"], modes.parameter, t["dbias"], t["workspace"]);
  }
  void reference_forward(Values& v) const override {
    const std::vector<double> none;
    reference::linear_forward<double>(v["x"], v["w"], has_bias ? v["bias"] : none, in, out, v["y"]);
  }
  void reference_backward(Values& v) const override {
    reference::linear_backward_input<double>(v["dy"], v["w"], in, out, v["dx"]);
    reference::linear_backward_weight<double>(v["dy"], v["x"], in, out, v["dw"]);
    if (has_bias) reference::bias_backward<double>(v["dy"], v["dbias"]);
  }

  /// Sums of products of standard normal factors.
  Tolerance tolerance(std::string_view name) const override {
    if (name == "y") return sum_of_products(in + 1);
    if (name == "dx") return sum_of_products(out);
    return name == "dw" ? sum_of_products(rows) : sum_of(rows);
  }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    std::vector<std::string> all{""};
    for (const Candidate& candidate : ops::gemm_candidates(info.caps)) {
      if (!candidate.refusal) all.push_back("gemm:" + candidate.name);
    }
    if (!info.caps.small_kernels_only) all.emplace_back("bias:vectors");
    all.emplace_back("bias:blocks");
    return all;
  }

  Cost forward_cost() const override { return {2 * multiplications(), 4.0 * (elements() + bias_elements())}; }
  Cost backward_cost() const override {
    return {4 * multiplications() + elements_of(rows, out), 4.0 * (2 * elements() + elements_of(rows, out))};
  }

 private:
  static double elements_of(size_t a, size_t b) { return static_cast<double>(a) * static_cast<double>(b); }
  double multiplications() const { return elements_of(rows, in) * static_cast<double>(out); }
  double elements() const { return elements_of(rows, in) + elements_of(out, in) + elements_of(rows, out); }
  double bias_elements() const { return has_bias ? static_cast<double>(out) : 0; }
};

inline CaseList linear_cases() {
  return make_cases<LinearCase>({{1, 1, 1},
                                 {1, 3, 2, false},
                                 {5, 8, 16},
                                 {7, 13, 29},
                                 {17, 33, 10},
                                 {17, 64, 64, false},
                                 {37, 67, 131},
                                 {300, 19, 65},
                                 {259, 257, 48},
                                 {3, 2, 515},
                                 {65, 301, 521},
                                 {1700, 64, 192}});
}

}  // namespace vitcl::selftest
