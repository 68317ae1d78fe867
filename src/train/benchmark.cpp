#include "vitcl/train/benchmark.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>

#include "energy.hpp"
#include "op_timing.hpp"
#include "ops/trial.hpp"
#include "step_timing.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/digits.hpp"
#include "vitcl/train/trainer.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::train {
namespace {

constexpr double longest_seconds = 10;

/// Throws DeviceError where the device at its peak would need too long.
void expect_quick(double flops, const DeviceLimits& limits) {
  const double seconds = flops / limits.flops_per_second;
  if (seconds > longest_seconds) throw DeviceError(fmt::format("it would take {:.0f} s or more", seconds));
}

/// By itself the article's batch for small images; few large ones fit.
TrainConfig config_of(const std::string& model, std::optional<size_t> batch) {
  TrainConfig config;
  apply_options(config, {{"model", model}});
  constexpr size_t small_side = 32;
  config.batch_size = batch.value_or(config.model.image_size <= small_side ? 100 : 8);
  return config;
}

/// The ops of a training step, fused and plain, that can run by themselves, with the most that all its calls take.
std::map<OpShape, double> ops_of(const DeviceInfo& device, TrainConfig config) {
  std::map<OpShape, double> ops;
  for (const bool fuse : {false, true}) {
    config.fuse = fuse;
    for (const StepChoice& choice : step_choices(device, config)) {
      if (!ops::plain_implementation(choice.key.op).empty()) ops[choice.key] = choice.choice.flops;
    }
  }
  return ops;
}

OpSpeed time_op(Device& device, const ImplementationNames& tuned, OpSpeed op, double step_flops,
                const DeviceLimits& limits) {
  try {
    expect_quick(step_flops, limits);
    device.choices().ask(tuned);
    const ops::Trial trial = ops::make_trial(device.queue(), op.key);
    trial.run();
    const Choice& choice = device.choices().taken().at(op.key);
    op.implementation = choice.implementation, op.flops = choice.flops, op.bytes = choice.bytes;
    op.seconds = best_seconds(device.queue(), device.queue().record(trial.run));
  } catch (const Error& error) {
    op.failure = error.what();
  }
  return op;
}

/// Steps for about half a second, three times, after a first one to warm up.
double seconds_a_step(Steps steps) {
  constexpr double enough_ms = 500;
  const double first = steps.run({.steps = 1, .repeats = 1}).least_ms;
  const auto count = static_cast<size_t>(std::clamp(enough_ms / first, 1.0, 200.0));
  return 1e-3 * steps.run({.steps = count, .repeats = 3}).median_ms;
}

ModelSpeed time_model(Device& device, const TrainConfig& config, const std::string& name, const DeviceLimits& limits) {
  ModelSpeed model{.model = name, .batch = config.batch_size};
  try {
    Workload work(device, config);
    model.flops = work.counted_flops();
    expect_quick(model.flops, limits);
    model.inference_seconds = seconds_a_step(work.inference());
    model.training_seconds = seconds_a_step(work.training());
    if (const auto before = energy_counter()) {
      constexpr size_t steps = 20;
      work.training().run({.steps = steps, .repeats = 1});
      model.joules = (energy_counter().value_or(*before) - *before) / static_cast<double>(steps);
    }
  } catch (const Error& error) {
    model.failure = error.what();
  }
  return model;
}

/// Ten steps of a small model on the built-in digits.
std::string train_and_hash(Device& device) {
  TrainConfig config;
  config.model = {.image_size = 28, .patch_size = 14, .dim = 16, .depth = 2, .heads = 2, .mlp_dim = 32};
  config.batch_size = 16;
  config.epochs = 1;
  Trainer trainer(device, config, data::draw_digits(0, 10 * config.batch_size, config.batch_size));
  trainer.run();
  const nn::Parameters& parameters = trainer.parameters();
  XXH3_state_t* state = XXH3_createState();
  XXH3_128bits_reset(state);
  for (const auto& [name, values] : parameters.save(device.queue(), parameters.values())) {
    XXH3_128bits_update(state, values.data(), values.size() * sizeof(float));
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

DeviceBenchmark new_device_benchmark(const DeviceInfo& device) {
  return {.name = device.name,
          .alias = device.alias,
          .platform = device.platform,
          .driver = device.driver_version,
          .compute_units = device.caps.compute_units};
}

DeviceBenchmark benchmark_device(const DeviceInfo& info, std::span<const std::string> models,
                                 std::optional<size_t> batch) {
  Device device(info);
  DeviceBenchmark result = new_device_benchmark(info);
  const ImplementationNames tuned = TuningStore().load(info).names();
  result.limits = measure_limits(device);
  for (const std::string& model : models) {
    for (const auto& [key, flops] : ops_of(info, config_of(model, batch))) {
      result.ops.push_back(time_op(device, tuned, {.model = model, .key = key}, flops, result.limits));
    }
  }
  device.choices().ask(tuned);
  for (const std::string& model : models) {
    result.models.push_back(time_model(device, config_of(model, batch), model, result.limits));
  }
  result.weights_hash = train_and_hash(device);
  return result;
}

}  // namespace vitcl::train
