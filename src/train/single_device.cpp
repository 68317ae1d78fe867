#include "single_device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vitcl::train {
namespace {

bool is_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

DeviceSamples open_split(Queue& queue, const data::Split& split, const data::Dataset& dataset,
                         const TrainConfig& config, size_t batch) {
  return DeviceSamples::open(
      queue, split, {dataset.mean, dataset.deviation},
      {.most_bytes = data_memory_bytes(config), .batch = std::min(batch, split.count), .workers = config.workers});
}

}  // namespace

DeviceSamples upload_split(Queue& queue, const data::Split& split, const data::Dataset& dataset) {
  return DeviceSamples::open(queue, split, {dataset.mean, dataset.deviation}, {.most_bytes = split.bytes()});
}

size_t data_memory_bytes(const TrainConfig& config) {
  constexpr double mib = 1 << 20;
  return static_cast<size_t>(config.data_memory * mib);
}

size_t evaluation_batch(const TrainConfig& config) {
  constexpr size_t least = 100;
  return std::max(config.batch_size, least);
}

std::string first_not_finite(const nn::Parameters& parameters, const nn::NamedTensors& gradients,
                             const nn::NamedTensors& values) {
  for (const nn::ParameterSpec& spec : parameters.specs()) {
    if (!is_finite(gradients.at(spec.name))) return fmt::format("the gradient of {}", spec.name);
    if (!is_finite(values.at(spec.name))) return fmt::format("the parameter {}", spec.name);
  }
  return "";
}

SingleDevice::SingleDevice(Device& device, const TrainConfig& config, const data::Dataset& dataset)
    : queue_(device.queue()),
      train_(open_split(queue_, dataset.train, dataset, config, config.batch_size)),
      test_(open_split(queue_, dataset.test, dataset, config, 1)),
      stepper_(queue_, config, train_),
      evaluator_(config.evaluation_model(), config.patch_mask, stepper_.measured(), queue_, test_,
                 evaluation_batch(config)) {}

std::string SingleDevice::first_not_finite() {
  const nn::Parameters& all = stepper_.parameters();
  return train::first_not_finite(all, all.save(queue_, all.gradients()), all.save(queue_, all.values()));
}

}  // namespace vitcl::train
