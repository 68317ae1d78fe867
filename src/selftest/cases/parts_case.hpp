#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "vitcl/ops/parts.hpp"

namespace vitcl::selftest {

struct CopyRangeCase final : OpCase {
  size_t source_first, target_first, count;
  CopyRangeCase(size_t source_first_, size_t target_first_, size_t count_)
      : source_first(source_first_), target_first(target_first_), count(count_) {}

  std::string name() const override { return fmt::format("copy_{}_from_{}_to_{}", count, source_first, target_first); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    return {{"source", Role::input, {source_first + count + 1}}, {"target", Role::update, {target_first + count + 2}}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::copy_range(queue, t["source"], source_first, t["target"], target_first, count);
  }
  void reference_forward(Values& v) const override {
    std::copy_n(&v["source"][source_first], count, &v["target"][target_first]);
  }
  Tolerance tolerance(std::string_view) const override { return exact(); }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("parts", info);
  }
  Cost forward_cost() const override { return {0, 8 * static_cast<double>(count)}; }
};

struct SumPartsCase final : OpCase {
  size_t parts, stride, count;
  SumPartsCase(size_t parts_, size_t stride_, size_t count_) : parts(parts_), stride(stride_), count(count_) {}

  std::string name() const override { return fmt::format("sum_{}x{}_of_{}", parts, count, stride); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    return {{"rows", Role::input, {parts, stride}, uniform(0, 4)},
            {"sum", Role::output, {count}},
            {"added", Role::update, {count}, uniform(0, 4)}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::sum_parts(queue, t["rows"], ops::GradMode::overwrite, t["sum"]);
    ops::sum_parts(queue, t["rows"], ops::GradMode::accumulate, t["added"]);
  }
  void reference_forward(Values& v) const override {
    for (size_t i = 0; i < count; ++i) {
      for (size_t part = 0; part < parts; ++part) v["sum"][i] += v["rows"][part * stride + i];
      v["added"][i] += v["sum"][i];
    }
  }
  /// A tree of additions of positive numbers: each passes through as many as the tree has levels, and one more.
  Tolerance tolerance(std::string_view) const override {
    size_t levels = 1;
    for (size_t branches = parts; branches > 1; branches /= 2) ++levels;
    return rounded(static_cast<double>(levels));
  }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("parts", info);
  }
  Cost forward_cost() const override {
    const auto numbers = static_cast<double>(parts * count);
    return {2 * numbers, 8 * numbers};
  }
};

inline CaseList parts_cases() {
  CaseList list = make_cases<CopyRangeCase>({{0, 0, 1}, {3, 5, 17}, {1, 0, 101}, {480, 0, 16384}});
  const CaseList sums = make_cases<SumPartsCase>({{1, 1, 1}, {2, 19, 17}, {8, 128, 101}, {16, 12288, 12288}});
  list.insert(list.end(), sums.begin(), sums.end());
  return list;
}

}  // namespace vitcl::selftest
