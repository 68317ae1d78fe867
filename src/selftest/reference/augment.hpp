#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

#include "vitcl/ops/augment.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::reference {

/// The random words of one image in one epoch.
class AugmentationWords {
 public:
  AugmentationWords(uint64_t seed, uint32_t sample, uint32_t epoch) {
    const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32U)};
    for (uint32_t block = 0; block < 4; ++block) {
      const auto words = philox4x32({block, sample, epoch, 0x4155474D}, key);
      std::copy(words.begin(), words.end(), &words_[size_t{4} * block]);
    }
  }
  double uniform(size_t i) const { return (words_[i] >> 8U) * 0x1p-24; }
  double within(size_t i, double limit) const { return limit * (2 * uniform(i) - 1); }
  double below(size_t i, uint64_t bound) const { return static_cast<double>((words_[i] * bound) >> 32U); }

 private:
  std::array<uint32_t, 16> words_{};
};

/// Multiplies 2 x 2 matrices, row by row.
inline std::array<double, 4> product(const std::array<double, 4>& a, const std::array<double, 4>& b) {
  return {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3]};
}

/// What is drawn for one image.
inline void draw_augmentation(const ops::AugmentOptions& options, const AugmentationWords& words, size_t side,
                              std::span<double> drawn) {
  constexpr double degree = std::numbers::pi / 180;
  const double angle = degree * words.within(1, static_cast<double>(options.degrees));
  const double zoom = 1 + words.within(2, static_cast<double>(options.scale));
  const double slope = std::tan(degree * words.within(3, static_cast<double>(options.shear)));
  const double mirror = words.uniform(0) < static_cast<double>(options.hflip) ? -1 : 1;
  const std::array<double, 4> turn = {std::cos(angle), -std::sin(angle), std::sin(angle), std::cos(angle)};
  const std::array<double, 4> forward =
      product(product(turn, {zoom, 0, 0, zoom}), product({1, slope, 0, 1}, {mirror, 0, 0, 1}));
  const double determinant = forward[0] * forward[3] - forward[1] * forward[2];
  const std::array<double, 4> map = {forward[3] / determinant, -forward[1] / determinant, -forward[2] / determinant,
                                     forward[0] / determinant};
  const auto size = static_cast<double>(side), padding = static_cast<double>(options.crop_padding);
  const double centre = (size - 1) / 2, most_shift = static_cast<double>(options.translate) * size;
  const uint64_t crops = 2 * options.crop_padding + 1;
  const double x = centre + words.within(4, most_shift) + words.below(6, crops) - padding;
  const double y = centre + words.within(5, most_shift) + words.below(7, crops) - padding;
  const uint64_t most = std::max<uint64_t>(1, side / 2);
  const double width = 1 + words.below(9, most), height = 1 + words.below(10, most);
  const double left = words.below(11, side + 1 - static_cast<uint64_t>(width));
  const double top = words.below(12, side + 1 - static_cast<uint64_t>(height));
  const double erased = words.uniform(8) < static_cast<double>(options.reprob) ? 1 : 0;
  const double jitter = static_cast<double>(options.color_jitter), contrast = 1 + words.within(14, jitter);
  const std::array<double, ops::augmentation_words> all = {map[0],
                                                           map[1],
                                                           centre - map[0] * x - map[1] * y,
                                                           map[2],
                                                           map[3],
                                                           centre - map[2] * x - map[3] * y,
                                                           contrast * (1 + words.within(13, jitter)),
                                                           1 - contrast,
                                                           erased * left,
                                                           erased * top,
                                                           erased * (left + width),
                                                           erased * (top + height)};
  std::copy(all.begin(), all.end(), drawn.begin());
}

/// The (side, side) plane at (x, y), each pixel a tent of width 2; black around.
inline double sample_plane(std::span<const double> plane, double x, double y, size_t side) {
  double sum = 0;
  for (size_t i = 0; i < side * side; ++i) {
    const double across = std::abs(x - static_cast<double>(i % side)),
                 down = std::abs(y - static_cast<double>(i / side));
    if (across < 1 && down < 1) sum += (1 - across) * (1 - down) * plane[i];
  }
  return sum;
}

/// One standardised channel of one image, with what was drawn for it.
inline void augment_plane(std::span<const double> source, std::span<const double> drawn, double mean, double deviation,
                          size_t side, std::span<double> target) {
  for (size_t i = 0; i < side * side; ++i) {
    const auto x = static_cast<double>(i % side), y = static_cast<double>(i / side);
    const double from_x = drawn[0] * x + drawn[1] * y + drawn[2], from_y = drawn[3] * x + drawn[4] * y + drawn[5];
    const double value = drawn[6] * sample_plane(source, from_x, from_y, side) / 255 + drawn[7] * mean;
    const bool erased = x >= drawn[8] && y >= drawn[9] && x < drawn[10] && y < drawn[11];
    target[i] = erased ? 0 : (std::clamp(value, 0.0, 1.0) - mean) / deviation;
  }
}

}  // namespace vitcl::reference
