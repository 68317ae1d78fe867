// Images mixed with their partners, and the targets of the mixture.
#include "common/step.h"

// Mirrors vitcl::ops::MixEntry in include/vitcl/ops/mix.hpp.
struct MixEntry {
  float share, blend;
  float left, top, right, bottom;
  float target_scale;
};

// Dimension 0: the pixel in a channel, rounded up to whole work-groups; 1: the channels of all images.
__kernel void mix_images(const __global float* partners, const __global struct MixEntry* mixes,
                         const __global int* cursor, __global float* images, int side) {
  const int pixel = (int)get_global_id(0), x = pixel % side, y = pixel / side;
  if (y >= side) return;
  const size_t i = get_global_id(1) * (size_t)side * (size_t)side + (size_t)pixel;
  const struct MixEntry mix = mixes[*cursor];
  const float column = (float)x, row = (float)y;
  const int replaced = column >= mix.left && column < mix.right && row >= mix.top && row < mix.bottom;
  images[i] = replaced ? partners[i] : mix.blend * images[i] + (1.0f - mix.blend) * partners[i];
}

// Dimension 0: the class; 1: the image.
__kernel void soft_targets(const __global int* all_labels, const __global int* order, const __global int* partners,
                           const __global struct StepEntry* table, const __global struct MixEntry* mixes,
                           const __global int* cursor, const __global float* class_weights, float smoothing,
                           __global int* labels, __global float* targets) {
  const int c = (int)get_global_id(0), classes = (int)get_global_size(0);
  const size_t image = get_global_id(1);
  const int position = table[*cursor].first_sample + (int)image;
  const int own = all_labels[order[position]], other = all_labels[partners[position]];
  const int known = own >= 0 && own < classes && other >= 0 && other < classes;
  const struct MixEntry mix = mixes[*cursor];
  const float share = (c == own ? mix.share : 0.0f) + (c == other ? 1.0f - mix.share : 0.0f);
  const float wanted = (1.0f - smoothing) * share + smoothing / (float)classes;
  targets[image * (size_t)classes + (size_t)c] = known ? mix.target_scale * class_weights[c] * wanted : NAN;
  if (c == 0) labels[image] = mix.share < 0.5f ? other : own;
}
