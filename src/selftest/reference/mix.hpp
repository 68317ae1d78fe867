#pragma once

#include <cstddef>
#include <span>

#include "vitcl/ops/mix.hpp"

namespace vitcl::reference {

/// The mixture of an image's pixel (x, y) and its partner's.
inline double mix_pixel(const ops::MixEntry& mix, size_t x, size_t y, double own, double partner) {
  const auto column = static_cast<float>(x), row = static_cast<float>(y);
  if (column >= mix.left && column < mix.right && row >= mix.top && row < mix.bottom) return partner;
  const double blend = static_cast<double>(mix.blend);
  return blend * own + (1 - blend) * partner;
}

/// The target of an image of class `own` whose partner is of class `other`, one number a class.
inline void soft_target(const ops::MixEntry& mix, size_t own, size_t other, double smoothing,
                        std::span<const double> class_weights, std::span<double> target) {
  const double share = static_cast<double>(mix.share);
  for (double& probability : target) probability = smoothing / static_cast<double>(target.size());
  target[own] += (1 - smoothing) * share;
  target[other] += (1 - smoothing) * (1 - share);
  for (size_t c = 0; c < target.size(); ++c) target[c] *= static_cast<double>(mix.target_scale) * class_weights[c];
}

}  // namespace vitcl::reference
