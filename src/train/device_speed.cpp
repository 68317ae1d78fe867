#include "vitcl/train/device_speed.hpp"

#include <algorithm>
#include <chrono>

#include "blank_samples.hpp"
#include "child_answer.hpp"
#include "stepper.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/nn/plan.hpp"

namespace vitcl::train {
namespace {

constexpr size_t most_steps = 4;  // timed together
constexpr double enough_seconds = 1;

double step_flops(const TrainConfig& config, const DeviceCaps& caps) {
  const nn::Graph graph = config.training_graph();
  const nn::GraphReport report =
      nn::report(graph, caps, config.batch_size, {.mode = nn::Mode::training, .fuse = false});
  return report.forward_flops + report.backward_flops;
}

double best_step_seconds(Queue& queue, const TrainConfig& config) {
  const DeviceSamples samples = blank_samples(queue, config.model, most_steps * config.batch_size);
  Stepper stepper(queue, config, samples);
  size_t epoch = 0;
  const auto mean_seconds = [&](size_t steps) {
    stepper.begin_epoch(epoch++, 0, std::vector(most_steps, config.lr));
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < steps; ++i) stepper.step();
    stepper.losses(0, steps);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(steps);
  };
  mean_seconds(1);  // some drivers compile at the first launch
  double best = mean_seconds(1), total = best;
  while (total < enough_seconds) {
    const double seconds = mean_seconds(most_steps);
    best = std::min(best, seconds);
    total += most_steps * seconds;
  }
  return best;
}

}  // namespace

Measurement time_training(const DeviceInfo& info) {
  try {
    const TrainConfig config;
    Device device(info, {.implementations = TuningStore().load(info).names()});
    const double seconds = best_step_seconds(device.queue(), config);
    return {.microseconds = 1e6 * seconds, .gflops = 1e-9 * step_flops(config, device.caps()) / seconds};
  } catch (const Error& error) {
    return {.failure = error.what()};
  }
}

Measurement measure_training(const DeviceInfo& device, const TuningStore& store,
                             const std::vector<std::string>& command, double seconds) {
  Measurement result = read_answer(run_child(command, seconds), seconds);
  if (!result.failure.empty()) return result;
  store.save(device, {{.key = {std::string(training_op), "article_100"},
                       .implementation = "",
                       .microseconds = result.microseconds,
                       .gflops = result.gflops}});
  return result;
}

}  // namespace vitcl::train
