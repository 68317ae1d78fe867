#include "step_program.hpp"

#include <algorithm>
#include <utility>

#include "sample_stream.hpp"
#include "vitcl/ops/augment.hpp"
#include "vitcl/ops/batch.hpp"
#include "vitcl/ops/mix.hpp"

namespace vitcl::train {
namespace {

void write_int(Queue& queue, const Tensor& tensor, size_t number) {
  auto value = static_cast<int32_t>(number);
  queue.write(tensor.buffer(), &value, sizeof(value));
}

/// The pattern for every image of the batch. Written once: nothing else writes a plan's inputs.
void write_mask(Queue& queue, const std::string& pattern, const Tensor& mask) {
  std::vector<uint8_t> visible(mask.elements());
  for (size_t i = 0; i < visible.size(); ++i) visible[i] = pattern[i % pattern.size()] == '1' ? 1 : 0;
  upload<uint8_t>(queue, visible, mask);
}

}  // namespace

StepState::StepState(Device& device, size_t samples, size_t steps)
    : order(Tensor::empty(device, {samples}, DType::i32)),
      places(order),
      table(Tensor::empty(device, {steps, 4})),
      cursor(Tensor::empty(device, {1}, DType::i32)),
      epoch(Tensor::empty(device, {1}, DType::i32)),
      losses(Tensor::empty(device, {steps})),
      correct(Tensor::empty(device, {steps}, DType::i32)) {}

void StepState::stream(Queue& queue, const DeviceSamples& samples, size_t batch,
                       std::function<std::vector<int32_t>(size_t)> order_of) {
  if (samples.stream == nullptr) return;
  places = Tensor::empty(queue.device(), order.shape(), DType::i32);
  upload<int32_t>(queue, samples.stream->begin(batch, std::move(order_of)), places);
}

void StepState::write_order(Queue& queue, std::span<const int32_t> samples) const {
  upload<int32_t>(queue, samples, order);
}
void StepState::write_table(Queue& queue, std::span<const ops::StepEntry> entries) const {
  queue.write(table.buffer(), entries.data(), entries.size_bytes());
}
void StepState::write_cursor(Queue& queue, size_t step) const { write_int(queue, cursor, step); }
void StepState::write_epoch(Queue& queue, size_t epoch_number) const { write_int(queue, epoch, epoch_number); }

nn::PlanOptions training_plan(const TrainConfig& config) {
  return {
      .mode = nn::Mode::training, .recompute = config.recompute, .fuse = config.fuse, .precision = config.precision};
}

InputChanges input_changes(const TrainConfig& config) {
  return {.patch_mask = config.patch_mask,
          .mask_ratio = static_cast<float>(config.mask_ratio),
          .augmentation = config.augmentation,
          .smoothing = static_cast<float>(config.smoothing),
          .drops = config.drop.any(),
          .seed = config.seed};
}

namespace {

/// Fetches and augments the images that the state's order names.
void fetch_images(Queue& queue, const InputChanges& changes, const DeviceSamples& samples, const Tensor& pixels,
                  const StepState& state, const Tensor& drawn, const Tensor& images) {
  if (!changes.augmentation.any()) {
    ops::load_images(queue, pixels, state.places, state.table, state.cursor, samples.mean, samples.deviation, images);
    return;
  }
  ops::draw_augmentation(queue, changes.augmentation, changes.seed, images.shape()[3], state.epoch, state.order,
                         state.table, state.cursor, drawn);
  ops::load_augmented_images(queue, pixels, state.places, state.table, state.cursor, samples.mean, samples.deviation,
                             drawn, images);
}

void load_targets(Queue& queue, const InputChanges& changes, const DeviceSamples& samples, const StepState& state,
                  const nn::Plan& plan) {
  if (!state.mixes) {
    ops::load_labels(queue, samples.labels, state.order, state.table, state.cursor, plan.tensor("labels"));
    return;
  }
  ops::soft_targets(queue, samples.labels, state.order, state.partners, state.table, state.mixes, state.cursor,
                    state.class_weights, changes.smoothing, plan.tensor("labels"), plan.tensor("targets"));
}

}  // namespace

ImageScratch::ImageScratch(Device& device, const InputChanges& changes, const StepState& state, const Shape& images)
    : drawn(changes.augmentation.any() ? Tensor::empty(device, {images[0], ops::augmentation_words}) : Tensor()),
      partners(state.partner_places ? Tensor::empty(device, images) : Tensor()) {}

void load_images(Queue& queue, const InputChanges& changes, const DeviceSamples& samples, const Tensor& pixels,
                 const StepState& state, const ImageScratch& scratch, const Tensor& images) {
  fetch_images(queue, changes, samples, pixels, state, scratch.drawn, images);
  if (!state.partner_places) return;
  StepState others = state;
  others.order = state.partners;
  others.places = state.partner_places;
  fetch_images(queue, changes, samples, pixels, others, scratch.drawn, scratch.partners);
  ops::mix_images(queue, scratch.partners, state.mixes, state.cursor, images);
}

StepProgram::StepProgram(const nn::Graph& graph, nn::Parameters& parameters, Queue& queue, size_t batch,
                         const DeviceSamples& samples, const StepState& state, const InputChanges& changes,
                         const nn::PlanOptions& options, const Optimizer* optimizer)
    : queue_(&queue),
      plan_(graph, parameters, queue, batch, options),
      scratch_(queue.device(), changes, state, plan_.tensor("images").shape()) {
  const size_t rows = std::max<size_t>(1, options.parts);
  if (!changes.patch_mask.empty()) write_mask(queue, changes.patch_mask, plan_.tensor("mask"));
  for (const Tensor& pixels : samples.pixels) {
    before_.push_back(queue.record([&] {
      load_images(queue, changes, samples, pixels, state, scratch_, plan_.tensor("images"));
      load_targets(queue, changes, samples, state, plan_);
      if (changes.mask_ratio > 0) {
        ops::random_mask(queue, changes.seed, changes.mask_ratio, state.epoch, state.order, state.table, state.cursor,
                         plan_.tensor("mask"));
      }
      if (changes.drops) {
        ops::load_draws(queue, changes.seed, state.epoch, state.order, state.table, state.cursor,
                        plan_.tensor("draws"));
      }
    }));
  }
  after_ = queue.record([&] {
    if (optimizer != nullptr) optimizer->update(queue, parameters.gradients(), state.table, state.cursor);
    ops::record_statistics(queue, plan_.tensor("loss"), plan_.saved("loss", "correct"), state.cursor, state.losses,
                           state.correct, rows);
    ops::advance(queue, state.cursor, rows);
  });
}

void StepProgram::run(size_t pixels) {
  queue_->replay(before_[pixels]);
  plan_.run();
  queue_->replay(after_);
}

BatchCut::BatchCut(size_t samples, size_t batch)
    : steps((samples + batch - 1) / batch),
      full(std::min(samples, batch)),
      last(samples - (steps == 0 ? 0 : steps - 1) * batch) {}

}  // namespace vitcl::train
