#pragma once

#include "selftest/cases/batch_case.hpp"
#include "selftest/reference/mix.hpp"

namespace vitcl::selftest {

/// A table of three rows of which the second, at the cursor, is `mix`.
inline Field mixes_field(const ops::MixEntry& mix) {
  const std::vector<double> row = {mix.share, mix.blend, mix.left, mix.top, mix.right, mix.bottom, mix.target_scale};
  return {"mixes", Role::input, {3, ops::mix_words}, [row](SplitMix&, size_t i) {
            return i / ops::mix_words == 1 ? row[i % ops::mix_words] : -1;
          }};
}

struct MixImagesCase final : OpCase {
  std::string label;
  size_t batch, channels, side;
  ops::MixEntry mix;
  MixImagesCase(std::string label_, size_t batch_, size_t channels_, size_t side_, const ops::MixEntry& mix_)
      : label(std::move(label_)), batch(batch_), channels(channels_), side(side_), mix(mix_) {}

  std::string name() const override { return fmt::format("{}_{}x{}x{}", label, batch, channels, side); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const Shape shape{batch, channels, side, side};
    return {{"partners", Role::input, shape},
            mixes_field(mix),
            {"cursor", Role::input, {1}, constant(1), DType::i32},
            {"images", Role::update, shape}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::mix_images(queue, t["partners"], t["mixes"], t["cursor"], t["images"]);
  }
  void reference_forward(Values& v) const override {
    for (size_t i = 0; i < v["images"].size(); ++i) {
      double& pixel = v["images"][i];
      pixel = reference::mix_pixel(mix, i % side, i / side % side, pixel, v["partners"][i]);
    }
  }
  /// Two products of factors up to 5 that may cancel, and 1 - blend.
  Tolerance tolerance(std::string_view) const override { return rounded(4, 5); }
  Cost forward_cost() const override {
    const auto elements = static_cast<double>(batch * channels * side * side);
    return {4 * elements, 12 * elements};
  }
};

struct SoftTargetsCase final : OpCase {
  BatchIndex index;
  size_t classes;
  float smoothing;
  ops::MixEntry mix;
  SoftTargetsCase(size_t batch, size_t classes_, float smoothing_, const ops::MixEntry& mix_)
      : index{batch, 2 * batch + 1}, classes(classes_), smoothing(smoothing_), mix(mix_) {}

  std::string name() const override {
    return fmt::format("targets_{}x{}_{}percent", index.batch, classes, static_cast<int>(100 * mix.share));
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const auto last = static_cast<int64_t>(index.samples) - 1, last_class = static_cast<int64_t>(classes) - 1;
    std::vector<Field> list = index.fields();
    list.push_back({"partners", Role::input, {3 * index.batch}, integers(0, last), DType::i32});
    list.push_back({"all_labels", Role::input, {index.samples}, integers(0, last_class), DType::i32});
    list.push_back(mixes_field(mix));
    list.push_back({"class_weights", Role::input, {classes}, uniform(0.5, 2)});
    list.push_back({"labels", Role::output, {index.batch}, normal(), DType::i32});
    list.push_back({"targets", Role::output, {index.batch, classes}});
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::soft_targets(queue, t["all_labels"], t["order"], t["partners"], t["table"], t["mixes"], t["cursor"],
                      t["class_weights"], smoothing, t["labels"], t["targets"]);
  }
  void reference_forward(Values& v) const override {
    for (size_t i = 0; i < index.batch; ++i) {
      const double own = v["all_labels"][static_cast<size_t>(v["order"][index.first() + i])];
      const double other = v["all_labels"][static_cast<size_t>(v["partners"][index.first() + i])];
      v["labels"][i] = mix.share < 0.5F ? other : own;
      reference::soft_target(mix, static_cast<size_t>(own), static_cast<size_t>(other), double{smoothing},
                             v["class_weights"], std::span(v["targets"]).subspan(i * classes, classes));
    }
  }
  /// Sums and products of a few positive numbers; a division that OpenCL lets err by 2.5 ulp.
  Tolerance tolerance(std::string_view name) const override { return name == "labels" ? exact() : rounded(12); }
  Cost forward_cost() const override {
    const auto elements = static_cast<double>(index.batch * classes);
    return {8 * elements, 4 * elements};
  }
};

inline CaseList mix_cases() {
  const ops::MixEntry cut{.share = 0.75F, .left = 2, .top = 1, .right = 5, .bottom = 4};
  CaseList list = make_cases<MixImagesCase>({{"none", 2, 1, 5, {}},
                                             {"blend", 1, 1, 1, {.blend = 0.3F}},
                                             {"blend", 3, 2, 7, {.blend = 0.8F}},
                                             {"cut", 3, 2, 7, cut},
                                             {"cut", 100, 1, 28, cut}});
  const CaseList targets = make_cases<SoftTargetsCase>({{1, 1, 0, {.share = 0.25F}},
                                                        {3, 2, 0, {.share = 0.5F}},
                                                        {5, 7, 0.1F, {.share = 0.49F, .target_scale = 1.5F}},
                                                        {13, 101, 0.3F, {.target_scale = 0.7F}},
                                                        {100, 10, 0.1F, {.share = 0.8F}}});
  list.insert(list.end(), targets.begin(), targets.end());
  return list;
}

}  // namespace vitcl::selftest
