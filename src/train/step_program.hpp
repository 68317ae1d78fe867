#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "optimizer.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/ops/adam.hpp"
#include "vitcl/ops/augment.hpp"
#include "vitcl/train/config.hpp"
#include "vitcl/train/device_samples.hpp"

namespace vitcl::train {

/// What the recorded steps of an epoch, or of an evaluation, read and write on the device. Replaying a step moves the
/// cursor on; nothing is set from the host in between.
struct StepState {
  Tensor order;    ///< (samples) i32, the samples in the order in which steps take them
  Tensor places;   ///< (samples) i32, where among the pixels these are; `order` itself unless they are streamed
  Tensor table;    ///< (steps, 4), rows of ops::StepEntry
  Tensor cursor;   ///< (1) i32, the next row of the table
  Tensor epoch;    ///< (1) i32
  Tensor losses;   ///< (steps), each step's mean loss
  Tensor correct;  ///< (steps) i32, each step's hits

  // Null where targets are labels; see mixing.hpp.
  Tensor partners;        ///< (samples) i32, each sample's partner
  Tensor partner_places;  ///< (samples) i32, where these are; null where images are not mixed
  Tensor mixes;           ///< (steps, ops::mix_words)
  Tensor class_weights;   ///< (classes)

  StepState(Device& device, size_t samples, size_t steps);
  /// Has the samples streamed, where they are, for steps of `batch`; `order_of` an epoch is then what
  /// write_order() must be given for it.
  void stream(Queue& queue, const DeviceSamples& samples, size_t batch,
              std::function<std::vector<int32_t>(size_t epoch)> order_of);
  void write_order(Queue& queue, std::span<const int32_t> samples) const;
  void write_table(Queue& queue, std::span<const ops::StepEntry> entries) const;
  void write_cursor(Queue& queue, size_t step) const;
  void write_epoch(Queue& queue, size_t epoch_number) const;
};

/// What a step does to its images and targets: patches masked by a fixed pattern or at random, random changes to the
/// pixels, labels smoothed.
struct InputChanges {
  std::string patch_mask = {};  ///< '0' and '1', one a patch; empty: none
  float mask_ratio = 0;         ///< of patches masked at random
  ops::AugmentOptions augmentation = {};
  float smoothing = 0;  ///< of soft targets
  bool drops = false;   ///< whether the graph has an input "draws"
  uint64_t seed = 0;
};

/// How a run's training steps are planned.
nn::PlanOptions training_plan(const TrainConfig& config);
/// How a run's training steps change their images.
InputChanges input_changes(const TrainConfig& config);

/// What load_images() works in.
struct ImageScratch {
  Tensor drawn;     ///< (batch, ops::augmentation_words), null where nothing is augmented
  Tensor partners;  ///< like the images, null where they are not mixed
  ImageScratch(Device& device, const InputChanges& changes, const StepState& state, const Shape& images);
};

/// Fetches a step's images from `pixels`, one of the samples' tensors, augments them, and mixes them with their
/// partners.
///   images: (batch, channels, side, side)
void load_images(Queue& queue, const InputChanges& changes, const DeviceSamples& samples, const Tensor& pixels,
                 const StepState& state, const ImageScratch& scratch, const Tensor& images);

/// One step at one batch size, recorded: fetch the batch, change it, mix it, mask it, run the plan, update, keep the
/// statistics, move on. Where the plan is cut in parts (nn::PlanOptions), each has a row of the step's table and
/// statistics, the first says which samples the step takes.
class StepProgram {
 public:
  /// A plan in training mode updates with `optimizer`, if any. The graph is models::vit_training_graph's,
  /// or has the same inputs and loss.
  StepProgram(const nn::Graph& graph, nn::Parameters& parameters, Queue& queue, size_t batch,
              const DeviceSamples& samples, const StepState& state, const InputChanges& changes,
              const nn::PlanOptions& options, const Optimizer* optimizer = nullptr);
  StepProgram(StepProgram&&) = default;

  const nn::Plan& plan() const { return plan_; }
  /// Enqueues the step, with images from one of the samples' tensors. Waits for nothing.
  void run(size_t pixels);

 private:
  Queue* queue_;
  nn::Plan plan_;
  ImageScratch scratch_;
  std::vector<CommandList> before_;  // for each tensor of images
  CommandList after_;
};

/// The sizes of the batches into which `samples` samples are cut: all `batch`, but the last may be smaller.
struct BatchCut {
  size_t steps = 0;
  size_t full = 0;  ///< size of every batch but the last
  size_t last = 0;  ///< size of the last
  BatchCut(size_t samples, size_t batch);
};

}  // namespace vitcl::train
