#pragma once

#include <fmt/format.h>

#include <cmath>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/layer_norm.hpp"
#include "vitcl/ops/layer_norm.hpp"

namespace vitcl::selftest {

struct LayerNormCase final : OpCase {
  size_t rows, dim;
  bool wants_dx;
  LayerNormCase(size_t rows_, size_t dim_, bool wants_dx_ = true) : rows(rows_), dim(dim_), wants_dx(wants_dx_) {}

  std::string name() const override { return fmt::format("{}x{}{}", rows, dim, wants_dx ? "" : "_no_dx"); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const Shape x{rows, dim}, features{dim}, statistics{rows};
    const size_t workspace = ops::layer_norm_workspace_bytes(rows, dim) / sizeof(float);
    std::vector<Field> list{{"x", Role::input, x, spread()},
                            {"weight", Role::input, features, normal(0.5, 1)},
                            {"bias", Role::input, features},
                            {"y", Role::output, x},
                            {"mean", Role::output, statistics},
                            {"rstd", Role::output, statistics},
                            {"dy", Role::upstream, x},
                            {"dweight", Role::parameter_gradient, features},
                            {"dbias", Role::parameter_gradient, features},
                            {"workspace", Role::workspace, {workspace}}};
    if (wants_dx) list.push_back({"dx", Role::gradient, x});
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::layer_norm_forward(queue, t["x"], t["weight"], t["bias"], epsilon, t["y"], t["mean"], t["rstd"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::layer_norm_backward(queue, t["dy"], t["x"], t["weight"], t["mean"], t["rstd"], modes.input,
                             wants_dx ? t["dx"] : Tensor(), modes.parameter, t["dweight"], t["dbias"], t["workspace"]);
  }
  void reference_forward(Values& v) const override {
    reference::layer_norm_forward<double>(v["x"], v["weight"], v["bias"], double{epsilon}, v["y"], v["mean"],
                                          v["rstd"]);
  }
  void reference_backward(Values& v) const override {
    std::vector<double> dx(rows * dim);
    reference::layer_norm_backward<double>(v["dy"], v["x"], v["weight"], v["mean"], v["rstd"], wants_dx ? v["dx"] : dx,
                                           v["dweight"], v["dbias"]);
  }

  /// The deviations of a row are about 1, so that rstd does not magnify: a dozen roundings of terms of size below 4,
  /// and of partial sums of the row, which grow like sqrt(dim) before the division by dim. A single feature has no
  /// deviation: there rstd is 1 / sqrt(epsilon), and magnifies the rounding of dy weight. The parameters' gradients
  /// are sums over the rows.
  Tolerance tolerance(std::string_view name) const override {
    if (name == "dweight" || name == "dbias") return sum_of_products(rows);
    if (name == "dx") return rounded(12, dim == 1 ? 1 / std::sqrt(epsilon) : 8);
    return rounded(12, 4);
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return row_shapes("layer_norm", info);
  }

  Cost forward_cost() const override { return {7 * elements(), 8 * elements()}; }
  Cost backward_cost() const override { return {18 * elements(), 12 * elements()}; }
  double elements() const { return static_cast<double>(rows * dim); }

 private:
  static constexpr float epsilon = 1e-5F;
  /// Random numbers, pulled apart from column to column so that even a row of two has a deviation of about 1.
  Fill spread() const {
    return [this](SplitMix& random, size_t i) { return (i % dim % 2 == 0 ? 0.75 : -0.75) + 0.7 * random.uniform(); };
  }
};

inline CaseList layer_norm_cases() {
  return make_cases<LayerNormCase>({{1, 1},
                                    {3, 1},
                                    {5, 2},
                                    {1, 17},
                                    {7, 31},
                                    {5, 19, false},
                                    {13, 64},
                                    {67, 192},
                                    {5, 257},
                                    {11, 768},
                                    {1700, 64},
                                    {1700, 128}});
}

}  // namespace vitcl::selftest
