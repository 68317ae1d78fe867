#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/batch.hpp"
#include "vitcl/ops/batch.hpp"
#include "vitcl/ops/parts.hpp"

namespace vitcl::selftest {

/// The part of a step table and an index buffer that batch ops read: 3 steps of `batch` samples, the second is taken.
struct BatchIndex {
  size_t batch, samples;
  size_t first() const { return batch; }
  std::vector<Field> fields() const {
    const auto last = static_cast<int64_t>(samples) - 1;
    const Fill table = [this_batch = batch](SplitMix&, size_t i) {
      return i % 4 == 0 ? static_cast<double>(i / 4 * this_batch) : 0;
    };
    return {{"order", Role::input, {3 * batch}, integers(0, last), DType::i32},
            {"table", Role::input, {3, 4}, table, DType::i32},
            {"cursor", Role::input, {1}, constant(1), DType::i32}};
  }
};

struct LoadBatchCase final : OpCase {
  BatchIndex index;
  size_t channels, side;
  size_t kept;  ///< images at hand
  LoadBatchCase(size_t batch, size_t samples, size_t channels_, size_t side_)
      : index{batch, samples}, channels(channels_), side(side_), kept(samples / 2 + 1) {}

  std::string name() const override { return fmt::format("load_{}x{}x{}", index.batch, channels, side); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    std::vector<Field> list = index.fields();
    list.push_back({"places", Role::input, {3 * index.batch}, integers(0, static_cast<int64_t>(kept) - 1), DType::i32});
    list.push_back({"pixels", Role::input, {kept, channels, side, side}, integers(0, 255), DType::u8});
    list.push_back({"all_labels", Role::input, {index.samples}, integers(0, 9), DType::i32});
    list.push_back({"mean", Role::input, {channels}, uniform(0.1, 0.5)});
    list.push_back({"deviation", Role::input, {channels}, uniform(0.2, 0.4)});
    list.push_back({"images", Role::output, {index.batch, channels, side, side}});
    list.push_back({"labels", Role::output, {index.batch}, normal(), DType::i32});
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::load_images(queue, t["pixels"], t["places"], t["table"], t["cursor"], t["mean"], t["deviation"], t["images"]);
    ops::load_labels(queue, t["all_labels"], t["order"], t["table"], t["cursor"], t["labels"]);
  }
  void reference_forward(Values& v) const override {
    reference::load_images(v["pixels"], v["places"], index.first(), v["mean"], v["deviation"], side * side,
                           v["images"]);
    for (size_t i = 0; i < index.batch; ++i) {
      v["labels"][i] = v["all_labels"][static_cast<size_t>(v["order"][index.first() + i])];
    }
  }
  /// Two divisions, which OpenCL lets err by 2.5 ulp, and a difference of numbers in [0, 1] over at least 0.2.
  Tolerance tolerance(std::string_view name) const override { return name == "labels" ? exact() : rounded(6, 5); }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("batch", info);
  }
  Cost forward_cost() const override { return {3 * elements(), 5 * elements()}; }
  double elements() const { return static_cast<double>(index.batch * channels * side * side); }
};

struct RandomMaskCase final : OpCase {
  BatchIndex index;
  size_t patches;
  float ratio;
  RandomMaskCase(size_t batch, size_t samples, size_t patches_, float ratio_)
      : index{batch, samples}, patches(patches_), ratio(ratio_) {}

  std::string name() const override {
    return fmt::format("mask_{}x{}_{}percent", index.batch, patches, static_cast<int>(100 * ratio));
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    std::vector<Field> list = index.fields();
    list.push_back({"epoch", Role::input, {1}, constant(epoch), DType::i32});
    list.push_back({"mask", Role::output, {index.batch, patches}, normal(), DType::u8});
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::random_mask(queue, seed, ratio, t["epoch"], t["order"], t["table"], t["cursor"], t["mask"]);
  }
  void reference_forward(Values& v) const override {
    reference::random_mask(seed, ratio, epoch, v["order"], index.first(), patches, v["mask"]);
  }
  Tolerance tolerance(std::string_view) const override { return exact(); }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("batch", info);
  }
  Cost forward_cost() const override {
    const auto elements = static_cast<double>(index.batch * patches);
    return {60 * elements, elements};
  }

 private:
  static constexpr uint64_t seed = 0x123456789ABCDEF0;
  static constexpr uint32_t epoch = 7;
};

struct LoadDrawsCase final : OpCase {
  BatchIndex index;
  LoadDrawsCase(size_t batch, size_t samples) : index{batch, samples} {}

  std::string name() const override { return fmt::format("draws_{}", index.batch); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    std::vector<Field> list = index.fields();
    list.push_back({"epoch", Role::input, {1}, constant(7), DType::i32});
    list.push_back({"draws", Role::output, {index.batch, 4}, normal(), DType::i32});
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::load_draws(queue, 0x1234567876543210, t["epoch"], t["order"], t["table"], t["cursor"], t["draws"]);
  }
  void reference_forward(Values& v) const override {
    for (size_t i = 0; i < index.batch; ++i) {
      const std::array row = {double{0x76543210}, double{0x12345678}, v["order"][index.first() + i], v["epoch"][0]};
      std::copy(row.begin(), row.end(), v["draws"].begin() + static_cast<ptrdiff_t>(4 * i));
    }
  }
  Tolerance tolerance(std::string_view) const override { return exact(); }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("batch", info);
  }
  Cost forward_cost() const override { return {0, 20 * static_cast<double>(index.batch)}; }
};

struct RecordStatisticsCase final : OpCase {
  size_t batch, parts;
  explicit RecordStatisticsCase(size_t batch_, size_t parts_ = 1) : batch(batch_), parts(parts_) {}

  std::string name() const override { return fmt::format("record_{}_in_{}", batch, parts); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    return {{"loss", Role::input, {batch}, uniform(0, 4)},
            {"correct", Role::input, {batch}, integers(0, 1), DType::i32},
            {"cursor", Role::update, {1}, constant(2), DType::i32},
            {"losses", Role::update, {steps}},
            {"correct_counts", Role::update, {steps}, integers(0, 9), DType::i32}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::record_statistics(queue, t["loss"], t["correct"], t["cursor"], t["losses"], t["correct_counts"], parts);
    ops::advance(queue, t["cursor"], parts);
  }
  void reference_forward(Values& v) const override {
    const auto first = static_cast<size_t>(v["cursor"][0]);
    v["cursor"][0] += static_cast<double>(parts);
    for (size_t part = 0; part < parts && first + part < steps; ++part) {
      const size_t begin = ops::part_begin(batch, part, parts), end = ops::part_begin(batch, part + 1, parts);
      const auto sum = [&](const std::vector<double>& values) {
        return std::accumulate(&values[begin], values.data() + end, 0.0);
      };
      v["losses"][first + part] = sum(v["loss"]) / static_cast<double>(end - begin);
      v["correct_counts"][first + part] = sum(v["correct"]);
    }
  }
  /// Sums of positive numbers, divided. The steps before and after stay as they were.
  Tolerance tolerance(std::string_view name) const override {
    return name == "losses" ? rounded(4 + std::sqrt(static_cast<double>(batch))) : exact();
  }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("batch", info);
  }
  Cost forward_cost() const override { return {2.0 * static_cast<double>(batch), 8.0 * static_cast<double>(batch)}; }

 private:
  static constexpr size_t steps = 5;
};

inline CaseList batch_cases() {
  CaseList list = make_cases<LoadBatchCase>({{1, 3, 1, 1}, {3, 5, 3, 5}, {4, 2, 2, 17}, {100, 1000, 1, 28}});
  const CaseList masks =
      make_cases<RandomMaskCase>({{1, 3, 1, 0.5F}, {3, 5, 17, 0}, {2, 4, 16, 1}, {100, 1000, 16, 0.3F}});
  const CaseList records = make_cases<RecordStatisticsCase>(
      {RecordStatisticsCase(1), RecordStatisticsCase(17), RecordStatisticsCase(100), RecordStatisticsCase(1000),
       RecordStatisticsCase(2, 2), RecordStatisticsCase(101, 2), RecordStatisticsCase(100, 8)});
  const CaseList draws = make_cases<LoadDrawsCase>({{1, 3}, {17, 40}, {100, 1000}});
  list.insert(list.end(), masks.begin(), masks.end());
  list.insert(list.end(), draws.begin(), draws.end());
  list.insert(list.end(), records.begin(), records.end());
  return list;
}

}  // namespace vitcl::selftest
