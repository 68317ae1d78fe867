#pragma once

#include <cstdint>

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// What surrounds the model in a recorded step: fetching the batch, keeping the statistics, moving on. The data set
// stays on the device as bytes; `table` and `cursor` (see adam.hpp) tell which samples the step takes.
//   pixels: (kept, channels, side, side) u8   all_labels: (samples) i32   order: (n) i32, sample numbers
//   places: (n) i32, where in `pixels` their images are; `order` itself where all are kept in their order
//   images: (batch, channels, side, side)        labels: (batch) i32

/// images[i] = (pixels[places[first + i]] / 255 - mean) / deviation; first = table[cursor].first_sample.
void load_images(Queue& queue, const Tensor& pixels, const Tensor& places, const Tensor& table, const Tensor& cursor,
                 const Tensor& mean, const Tensor& deviation, const Tensor& images);

/// labels[i] = all_labels[order[first + i]].
void load_labels(Queue& queue, const Tensor& all_labels, const Tensor& order, const Tensor& table, const Tensor& cursor,
                 const Tensor& labels);

/// Hides each patch with probability `ratio`: mask: (batch, patches) u8, 1 = visible. The random number is
/// Philox4x32-10 keyed by `seed`, counted by (patch, sample number, epoch), so that it depends on nothing else.
/// epoch: (1) i32 on the device.
void random_mask(Queue& queue, uint64_t seed, float ratio, const Tensor& epoch, const Tensor& order,
                 const Tensor& table, const Tensor& cursor, const Tensor& mask);

/// What keys the random numbers of the batch's samples (dropout.hpp): draws[i] = the seed's low and high word, the
/// sample's number, the epoch; draws: (batch, 4) i32.
void load_draws(Queue& queue, uint64_t seed, const Tensor& epoch, const Tensor& order, const Tensor& table,
                const Tensor& cursor, const Tensor& draws);

/// losses[cursor + p] = the mean of `loss` (batch), correct_counts[cursor + p] = the sum of `correct` (batch) i32, over
/// part p of the batch (ops/parts.hpp); fixed order.
///   losses: (steps)   correct_counts: (steps) i32. What would lie behind the last step is not recorded.
void record_statistics(Queue& queue, const Tensor& loss, const Tensor& correct, const Tensor& cursor,
                       const Tensor& losses, const Tensor& correct_counts, size_t parts = 1);

/// cursor += steps.
void advance(Queue& queue, const Tensor& cursor, size_t steps = 1);

}  // namespace vitcl::ops
