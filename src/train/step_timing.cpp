#include "step_timing.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "vitcl/backend/error.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::train {
namespace {

constexpr size_t batches = 10;         // the steps go round these
constexpr size_t steps_before = 1000;  // as if training were under way: Adam's bias corrections are near 1

/// Some bytes that look like pixels, and labels; their values do not matter for the time.
DeviceSamples random_samples(Queue& queue, const models::ViTConfig& model, size_t count) {
  const Shape shape{count, model.channels, model.image_size, model.image_size};
  std::vector<uint8_t> pixels(shape.elements());
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 2654435761U >> 24U);
  std::vector<int32_t> labels(count);
  for (size_t i = 0; i < count; ++i) labels[i] = static_cast<int32_t>(i % model.classes);
  return DeviceSamples::upload(
      queue, shape, pixels, labels,
      {.mean = std::vector(model.channels, 0.1307F), .deviation = std::vector(model.channels, 0.3081F)});
}

nn::Parameters initial_parameters(Device& device, const nn::Graph& graph) {
  nn::Parameters parameters(device, graph.parameters());
  parameters.initialize(device.queue(), 0);
  return parameters;
}

/// Processor time that this process has used, of all its threads.
double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

Timing Steps::run(const Amount& amount) {
  Queue& queue = work_.device_.queue();
  std::vector<double> times;
  const double cpu_before = cpu_seconds();
  for (size_t repeat = 0; repeat < amount.repeats; ++repeat) {
    queue.finish();
    const auto start = std::chrono::steady_clock::now();
    for (size_t step = 0; step < amount.steps; ++step) {
      if (step % batches == 0) work_.state_.write_cursor(queue, 0);
      program_.run(0);
    }
    queue.finish();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    times.push_back(elapsed.count());
  }
  const double cpu = cpu_seconds() - cpu_before;
  const double wall = std::accumulate(times.begin(), times.end(), 0.0);
  std::ranges::sort(times);
  const double ms = 1e3 / static_cast<double>(amount.steps);
  return {.median_ms = ms * times[times.size() / 2],
          .least_ms = ms * times.front(),
          .idle_share = std::max(0.0, 1 - cpu / (wall * std::thread::hardware_concurrency()))};
}

Workload::Workload(Device& device, const TrainConfig& config)
    : device_(device),
      batch_(config.batch_size),
      recompute_(config.recompute),
      fuse_(config.fuse),
      changes_(input_changes(config)),
      graph_(config.training_graph()),
      parameters_(initial_parameters(device, graph_)),
      samples_(random_samples(device.queue(), config.model, batches * batch_)),
      state_(device, batches * batch_, batches),
      optimizer_(device.queue(), config, parameters_) {
  std::vector<int32_t> order(batches * batch_);
  std::iota(order.begin(), order.end(), 0);
  state_.write_order(device.queue(), order);
  std::vector<ops::StepEntry> table;
  for (size_t i = 0; i < batches; ++i) {
    table.push_back(optimizer_.entry(config.lr, steps_before + i, i * batch_));
  }
  state_.write_table(device.queue(), table);
}

Steps Workload::training() {
  const nn::PlanOptions options{.mode = nn::Mode::training, .recompute = recompute_, .fuse = fuse_};
  return {*this, {graph_, parameters_, device_.queue(), batch_, samples_, state_, changes_, options, &optimizer_}};
}

Steps Workload::inference() {
  const nn::PlanOptions options{.mode = nn::Mode::inference, .fuse = fuse_};
  return {*this, {graph_, parameters_, device_.queue(), batch_, samples_, state_, changes_, options}};
}

double Workload::counted_flops() const {
  const nn::GraphReport report =
      nn::report(graph_, device_.caps(), batch_, {.mode = nn::Mode::training, .fuse = false});
  return report.forward_flops + report.backward_flops;
}

}  // namespace vitcl::train
