// What surrounds the model in a recorded step: fetching the batch, drawing the mask, keying dropout, keeping the
// statistics, moving on.
//
// WIDTH: see common/flat.h
// GROUP: work-items that sum the statistics together
#if !defined(WIDTH) || !defined(GROUP)
#error "batch.cl needs WIDTH and GROUP"
#endif
#include "common/flat.h"
#include "common/parts.h"
#include "common/random.h"
#include "common/reduce.h"
#include "common/step.h"

static inline floatW load_bytes(const __global uchar* source, ulong i, ulong n) {
#if WIDTH == 16
  if (i + 16 <= n) return convert_float16(vload16(0, source + i));
  float lanes[16];
  for (int l = 0; l < 16; ++l) lanes[l] = i + l < n ? (float)source[i + l] : 0.0f;
  return vload16(0, lanes);
#else
  return (float)source[i];
#endif
}

// Dimension 0: the pixel in a channel; 1: the channel; 2: the image. `places` tells where in `pixels` a sample is.
__kernel void load_images(const __global uchar* pixels, const __global int* places,
                          const __global struct StepEntry* table, const __global int* cursor,
                          const __global float* mean, const __global float* deviation, __global float* images,
                          ulong plane, ulong chunk) {
  const ulong channel = get_global_id(1), image = get_global_id(2), channels = get_global_size(1);
  const ulong sample = (ulong)vitcl_step_sample(places, table, cursor, image);
  const __global uchar* source = pixels + (sample * channels + channel) * plane;
  __global float* target = images + (image * channels + channel) * plane;
  VITCL_FOR_EACH(i, plane, chunk) {
    const floatW value = load_bytes(source, i, plane) / 255.0f;
    vitcl_store_flat((value - mean[channel]) / deviation[channel], target, i, plane);
  }
}

__kernel void load_labels(const __global int* all_labels, const __global int* order,
                          const __global struct StepEntry* table, const __global int* cursor, __global int* labels,
                          ulong batch) {
  for (ulong i = get_global_id(0); i < batch; i += get_global_size(0)) {
    labels[i] = all_labels[vitcl_step_sample(order, table, cursor, i)];
  }
}

// Dimension 0: patches, in strides; 1: the image. The counter's fourth word tells this use from others.
__kernel void random_mask(ulong seed, float ratio, const __global int* epoch, const __global int* order,
                          const __global struct StepEntry* table, const __global int* cursor, __global uchar* mask,
                          ulong patches) {
  const ulong image = get_global_id(1);
  const uint sample = (uint)vitcl_step_sample(order, table, cursor, image);
  for (ulong p = get_global_id(0); p < patches; p += get_global_size(0)) {
    const uint4 counter = (uint4)((uint)p, sample, (uint)*epoch, 0u);
    const float number = vitcl_uniform(vitcl_philox4x32(counter, vitcl_philox_key(seed)).x);
    mask[image * patches + p] = number < ratio ? 0 : 1;
  }
}

// What keys each sample's random numbers: the seed's two words, the sample's number, the epoch.
__kernel void load_draws(ulong seed, const __global int* epoch, const __global int* order,
                         const __global struct StepEntry* table, const __global int* cursor, __global int* draws,
                         ulong batch) {
  for (ulong i = get_global_id(0); i < batch; i += get_global_size(0)) {
    draws[4 * i] = (int)(uint)seed;
    draws[4 * i + 1] = (int)(uint)(seed >> 32);
    draws[4 * i + 2] = vitcl_step_sample(order, table, cursor, i);
    draws[4 * i + 3] = *epoch;
  }
}

// A work-group for each part of the batch. Counts are exact as floats up to 2^24 samples. What would lie behind the
// last step is not written.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void record_statistics(
    const __global float* loss, const __global int* correct, const __global int* cursor, __global float* losses,
    __global int* correct_counts, int batch, int steps) {
  __local float scratch[GROUP];
  float loss_sum = 0.0f, hits = 0.0f;
  const Share share = share_of_part(batch, (uint)get_group_id(0), (uint)get_num_groups(0));
  for (int i = share.first + (int)get_local_id(0); i < share.last; i += GROUP) {
    loss_sum += loss[i];
    hits += (float)correct[i];
  }
  loss_sum = vitcl_group_sum(loss_sum, scratch);
  hits = vitcl_group_sum(hits, scratch);
  const int step_number = *cursor + (int)get_group_id(0);
  if (get_local_id(0) == 0 && step_number >= 0 && step_number < steps) {
    losses[step_number] = loss_sum / (float)(share.last - share.first);
    correct_counts[step_number] = (int)hits;
  }
}

__kernel void advance(__global int* cursor, int steps) { *cursor += steps; }
