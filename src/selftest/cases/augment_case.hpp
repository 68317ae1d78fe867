#pragma once

#include "selftest/cases/batch_case.hpp"
#include "selftest/reference/augment.hpp"
#include "vitcl/ops/augment.hpp"

namespace vitcl::selftest {

/// Drawing and following the changes to a batch of images.
struct AugmentCase final : OpCase {
  BatchIndex index;
  size_t channels, side;
  size_t kept;  ///< images at hand
  std::string label;
  ops::AugmentOptions options;
  AugmentCase(size_t batch, size_t channels_, size_t side_, std::string label_, const ops::AugmentOptions& options_)
      : index{batch, 2 * batch + 1},
        channels(channels_),
        side(side_),
        kept(batch + 1),
        label(std::move(label_)),
        options(options_) {}

  std::string name() const override { return fmt::format("{}_{}x{}x{}", label, index.batch, channels, side); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    std::vector<Field> list = index.fields();
    list.push_back({"places", Role::input, {3 * index.batch}, integers(0, static_cast<int64_t>(kept) - 1), DType::i32});
    list.push_back({"pixels", Role::input, {kept, channels, side, side}, integers(0, 255), DType::u8});
    list.push_back({"epoch", Role::input, {1}, constant(epoch), DType::i32});
    list.push_back({"mean", Role::input, {channels}, uniform(0.1, 0.5)});
    list.push_back({"deviation", Role::input, {channels}, uniform(0.2, 0.4)});
    list.push_back({"drawn", Role::output, {index.batch, ops::augmentation_words}});
    list.push_back({"images", Role::output, {index.batch, channels, side, side}});
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::draw_augmentation(queue, options, seed, side, t["epoch"], t["order"], t["table"], t["cursor"], t["drawn"]);
    ops::load_augmented_images(queue, t["pixels"], t["places"], t["table"], t["cursor"], t["mean"], t["deviation"],
                               t["drawn"], t["images"]);
  }
  void reference_forward(Values& v) const override {
    const size_t plane = side * side;
    for (size_t i = 0; i < index.batch; ++i) {
      const auto sample = static_cast<uint32_t>(v["order"][index.first() + i]);
      const auto place = static_cast<size_t>(v["places"][index.first() + i]);
      const std::span drawn = std::span(v["drawn"]).subspan(i * ops::augmentation_words, ops::augmentation_words);
      reference::draw_augmentation(options, {seed, sample, epoch}, side, drawn);
      for (size_t c = 0; c < channels; ++c) {
        reference::augment_plane(std::span(v["pixels"]).subspan((place * channels + c) * plane, plane), drawn,
                                 v["mean"][c], v["deviation"][c], side,
                                 std::span(v["images"]).subspan((i * channels + c) * plane, plane));
      }
    }
  }
  /// sin, cos and tan err by up to 5 ulp (OpenCL), times positions up to a side or two from the centre; a pixel changes
  /// by at most 2 along one step of a position, over a deviation of at least 0.2.
  Tolerance tolerance(std::string_view name) const override {
    const auto size = static_cast<double>(side);
    return name == "drawn" ? rounded(16, 2 * size) : rounded(16, 20 * size);
  }
  Cost forward_cost() const override {
    const auto elements = static_cast<double>(index.batch * channels * side * side);
    return {30 * elements, 8 * elements};
  }

 private:
  static constexpr uint64_t seed = 0x123456789ABCDEF0;
  static constexpr uint32_t epoch = 7;
};

inline CaseList augment_cases() {
  const ops::AugmentOptions all{.hflip = 0.5F,
                                .degrees = 30,
                                .translate = 0.2F,
                                .scale = 0.3F,
                                .shear = 15,
                                .crop_padding = 3,
                                .color_jitter = 0.4F,
                                .reprob = 0.5F};
  return make_cases<AugmentCase>({{3, 2, 7, "none", {}},
                                  {11, 1, 5, "flip", {.hflip = 0.5F}},
                                  {5, 1, 13, "turn", {.degrees = 180}},
                                  {5, 3, 6, "shift", {.translate = 0.3F}},
                                  {5, 1, 9, "zoom", {.scale = 0.5F}},
                                  {5, 1, 11, "shear", {.shear = 40}},
                                  {7, 2, 5, "crop", {.crop_padding = 4}},
                                  {7, 3, 5, "jitter", {.color_jitter = 0.9F}},
                                  {13, 2, 7, "erase", {.reprob = 0.5F}},
                                  {1, 1, 1, "all", all},
                                  {17, 3, 13, "all", all},
                                  {100, 1, 28, "all", all}});
}

}  // namespace vitcl::selftest
