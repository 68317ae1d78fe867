#pragma once

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

/// How a step mixes each of its images and their targets with those of a partner: a row of a table beside the step
/// table (batch.hpp), made on the host. Mirrors `struct MixEntry` in cl/mix.cl. The defaults mix nothing.
struct MixEntry {
  float share = 1;                                 ///< of the image's own label; its partner's has the rest
  float blend = 1;                                 ///< of the image's own pixels; its partner's are the rest
  float left = 0, top = 0, right = 0, bottom = 0;  ///< pixels in [left, right) x [top, bottom) are all the partner's
  float target_scale = 1;                          ///< by which targets are multiplied
  bool operator==(const MixEntry&) const = default;
};
/// The floats of a MixEntry.
constexpr size_t mix_words = 7;

/// images = blend images + (1 - blend) partners, or partners in the rectangle, as the row of `mixes` at the cursor
/// says.
///   partners, images: (batch, channels, side, side)   mixes: (steps, mix_words)   cursor: (1) i32
void mix_images(Queue& queue, const Tensor& partners, const Tensor& mixes, const Tensor& cursor, const Tensor& images);

/// What the loss of batch.hpp's images, of which image i is sample a = order[first + i] and its partner sample
/// b = partners[first + i], is to compare with, in class c:
///   targets[i, c] = target_scale class_weights[c] ((1 - smoothing) (share [c = a's label] + (1 - share) [c = b's
///                   label]) + smoothing / classes)
/// and labels[i], the label with the larger share, a's where both have half. A label out of range makes the row NaN.
///   all_labels: (samples) i32   order, partners: (n) i32   table: (steps, 4)   class_weights: (classes)
///   labels: (batch) i32   targets: (batch, classes)
void soft_targets(Queue& queue, const Tensor& all_labels, const Tensor& order, const Tensor& partners,
                  const Tensor& table, const Tensor& mixes, const Tensor& cursor, const Tensor& class_weights,
                  float smoothing, const Tensor& labels, const Tensor& targets);

}  // namespace vitcl::ops
