#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vitcl/tensor/random.hpp"

namespace vitcl::reference {

/// The batch's images, standardised per channel: image i is sample order[first + i].
inline void load_images(std::span<const double> pixels, std::span<const double> order, size_t first,
                        std::span<const double> mean, std::span<const double> deviation, size_t plane,
                        std::span<double> images) {
  const size_t channels = mean.size();
  for (size_t i = 0; i < images.size(); ++i) {
    const size_t image = i / (plane * channels), c = i / plane % channels;
    const auto sample = static_cast<size_t>(order[first + image]);
    images[i] = (pixels[(sample * channels + c) * plane + i % plane] / 255 - mean[c]) / deviation[c];
  }
}

/// 0 where the random number of (patch, sample, epoch) is below the ratio.
inline void random_mask(uint64_t seed, float ratio, uint32_t epoch, std::span<const double> order, size_t first,
                        size_t patches, std::span<double> mask) {
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32U)};
  for (size_t i = 0; i < mask.size(); ++i) {
    const auto sample = static_cast<uint32_t>(order[first + i / patches]);
    const uint32_t word = philox4x32({static_cast<uint32_t>(i % patches), sample, epoch, 0}, key)[0];
    mask[i] = static_cast<float>(word >> 8U) * 0x1p-24F < ratio ? 0 : 1;
  }
}

}  // namespace vitcl::reference
