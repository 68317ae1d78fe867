#include <algorithm>

#include "blank_samples.hpp"
#include "stepper.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::train {
DeviceSamples blank_samples(Queue& queue, const models::ViTConfig& model, size_t count) {
  const Shape shape{count, model.channels, model.image_size, model.image_size};
  const PixelStatistics statistics{std::vector<float>(model.channels, 0), std::vector<float>(model.channels, 1)};
  return DeviceSamples::upload(queue, shape, std::vector<uint8_t>(shape.elements()), std::vector<int32_t>(count),
                               statistics);
}

std::vector<StepChoice> step_choices(const DeviceInfo& info, const TrainConfig& config,
                                     const ImplementationNames& asked) {
  config.validate();
  Device device(info, {.dry = true, .implementations = asked});
  const DeviceSamples samples = blank_samples(device.queue(), config.model, config.batch_size);
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
