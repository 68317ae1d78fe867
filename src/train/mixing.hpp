#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "step_program.hpp"
#include "vitcl/ops/mix.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// How a batch of images of this side is mixed, its target_scale aside. The numbers are Philox4x32-10 keyed by `seed`
/// and counted by (block, batch, epoch, use): they depend on nothing else. As in timm a share is drawn from
/// Beta(alpha, alpha); cutmix's rectangle has that part of the image's area, is cut off at its border, and its true
/// area then decides the share.
ops::MixEntry draw_mix(const MixOptions& options, uint64_t seed, size_t epoch, size_t batch, size_t side);

/// What a run's soft targets and mixed images need on the device: class weights, which never change, and an epoch's
/// partners and mixtures. An image's partner is the one as far from the batch's end as itself from its beginning.
class Mixing {
 public:
  /// Gives it to `state`, which has the same number of rows for each batch of `cut`. Throws UsageError as
  /// class_weights() does.
  Mixing(Queue& queue, const TrainConfig& config, const DeviceSamples& samples, const BatchCut& cut, StepState& state);

  /// Writes an epoch's part, counted from 0; `order` are its samples.
  void begin_epoch(Queue& queue, size_t epoch, std::span<const int32_t> order, const StepState& state) const;

 private:
  std::vector<int32_t> backwards(std::span<const int32_t> order) const;
  float target_scale(std::span<const int32_t> batch) const;

  MixOptions options_;
  uint64_t seed_;
  size_t side_;
  BatchCut cut_;
  std::vector<int32_t> labels_;
  std::vector<float> weights_;  // of the classes
};

}  // namespace vitcl::train
