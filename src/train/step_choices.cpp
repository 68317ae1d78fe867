#include <algorithm>

#include "stepper.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::train {
namespace {

/// One batch of black images, all of class 0.
DeviceSamples blank_batch(Queue& queue, const TrainConfig& config) {
  const models::ViTConfig& model = config.model;
  const Shape shape{config.batch_size, model.channels, model.image_size, model.image_size};
  const PixelStatistics statistics{std::vector<float>(model.channels, 0), std::vector<float>(model.channels, 1)};
  return DeviceSamples::upload(queue, shape, std::vector<uint8_t>(shape.elements()),
                               std::vector<int32_t>(config.batch_size), statistics);
}

}  // namespace

std::vector<StepChoice> step_choices(const DeviceInfo& info, const TrainConfig& config,
                                     const ImplementationNames& asked) {
  config.validate();
  Device device(info, {.dry = true, .implementations = asked});
  const DeviceSamples samples = blank_batch(device.queue(), config);
  const Stepper stepper(device.queue(), config, samples);
  std::vector<StepChoice> choices;
  double total = 0;
  for (const auto& [key, choice] : device.choices().taken()) {
    choices.push_back({key, choice});
    total += choice.flops;
  }
  for (StepChoice& choice : choices) choice.share = total > 0 ? choice.choice.flops / total : 0;
  std::ranges::stable_sort(choices, std::greater(), &StepChoice::share);
  return choices;
}

}  // namespace vitcl::train
