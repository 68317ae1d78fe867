// Times recorded steps of the article's model, exactly those that `vitcl train` replays, on random images. Prints one
// JSON line: milliseconds a step (median and least of the repeats), images per second, and inference images per second.
//
//   vitcl_train_bench [--device NAME] [--model PRESET] [--batch N] [--steps N] [--repeats N] [--profile]
//                    [--recompute]
//
// --profile adds, to stderr, the time in each kernel during the repeats (it slows them down).

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "train/step_program.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl {
namespace {

constexpr size_t batches = 10;

struct Options {
  std::string device = "auto";
  std::string model = "article";
  size_t batch = 100;
  size_t steps = 40;
  size_t repeats = 5;
  bool profile = false;
  bool recompute = false;
};

size_t parse_count(std::string_view name, std::string_view text) {
  size_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count == 0) {
    throw UsageError(fmt::format("{} takes a positive number, got '{}'", name, text));
  }
  return count;
}

Options parse_options(const std::vector<std::string_view>& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--profile" || name == "--recompute") {
      (name == "--profile" ? options.profile : options.recompute) = true;
      continue;
    }
    if (i + 1 == arguments.size()) throw UsageError(fmt::format("{}: unknown, or its value is missing", name));
    const std::string_view value = arguments[++i];
    if (name == "--device") {
      options.device = value;
    } else if (name == "--model") {
      options.model = value;
    } else if (name == "--batch") {
      options.batch = parse_count(name, value);
    } else if (name == "--steps") {
      options.steps = parse_count(name, value);
    } else if (name == "--repeats") {
      options.repeats = parse_count(name, value);
    } else {
      throw UsageError(fmt::format("unknown option {}", name));
    }
  }
  return options;
}

/// Some bytes that look like pixels, and labels; their values do not matter for the time.
train::DeviceSamples random_samples(Queue& queue, const models::ViTConfig& model, size_t count) {
  const Shape shape{count, model.channels, model.image_size, model.image_size};
  std::vector<uint8_t> pixels(shape.elements());
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 2654435761U >> 24U);
  std::vector<int32_t> labels(count);
  for (size_t i = 0; i < count; ++i) labels[i] = static_cast<int32_t>(i % model.classes);
  return train::DeviceSamples::upload(
      queue, shape, pixels, labels,
      {.mean = std::vector(model.channels, 0.1307F), .deviation = std::vector(model.channels, 0.3081F)});
}

/// Milliseconds a step, for each repeat, smallest first.
std::vector<double> time_steps(Queue& queue, const train::StepState& state, train::StepProgram& program,
                               const Options& options) {
  std::vector<double> times;
  for (size_t repeat = 0; repeat < options.repeats; ++repeat) {
    queue.finish();
    auto start = std::chrono::steady_clock::now();
    for (size_t step = 0; step < options.steps; ++step) {
      if (step % batches == 0) state.write_cursor(queue, 0);
      program.run();
    }
    queue.finish();
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    times.push_back(elapsed.count() / static_cast<double>(options.steps));
  }
  std::ranges::sort(times);
  return times;
}

void print_profile(Queue& queue) {
  double total = 0;
  const std::vector<KernelProfile> profile = queue.profile();
  for (const KernelProfile& kernel : profile) total += kernel.seconds;
  fmt::print(stderr, "{:<40} {:>8} {:>10} {:>7} {:>9} {:>8}\n", "kernel", "calls", "ms", "share", "GFLOP/s", "GB/s");
  for (const KernelProfile& kernel : profile) {
    fmt::print(stderr, "{:<40} {:>8} {:>10.2f} {:>6.1f}% {:>9.1f} {:>8.1f}\n", kernel.name, kernel.calls,
               1e3 * kernel.seconds, 100 * kernel.seconds / total, 1e-9 * kernel.flops / kernel.seconds,
               1e-9 * kernel.bytes / kernel.seconds);
  }
}

void run(const Options& options) {
  Device device(select_device(options.device), {.profile = options.profile});
  Queue& queue = device.queue();
  const models::ViTConfig model = models::preset(options.model);
  const nn::Graph graph = models::vit_training_graph(model);
  nn::Parameters parameters(device, graph.parameters());
  parameters.initialize(queue, 0);

  const size_t samples = batches * options.batch;
  const train::DeviceSamples data = random_samples(queue, model, samples);
  const train::StepState state(device, samples, batches);
  std::vector<int32_t> order(samples);
  for (size_t i = 0; i < samples; ++i) order[i] = static_cast<int32_t>(i);
  state.write_order(queue, order);
  std::vector<ops::StepEntry> table;
  for (size_t i = 0; i < batches; ++i) {
    table.push_back({static_cast<int32_t>(i * options.batch), 0.003F, 0.1F, 0.03F});
  }
  state.write_table(queue, table);
  state.write_cursor(queue, 0);
  const train::AdamState adam{
      Tensor::empty(device, parameters.values().shape()), Tensor::empty(device, parameters.values().shape()), {}};
  queue.zero(adam.exp_avg.buffer());
  queue.zero(adam.exp_avg_sq.buffer());

  train::StepProgram training(graph, parameters, queue, options.batch, data, state, {},
                              {.mode = nn::Mode::training, .recompute = options.recompute}, &adam);
  train::StepProgram inference(graph, parameters, queue, options.batch, data, state, {}, {nn::Mode::inference});
  time_steps(queue, state, training, {.steps = 5, .repeats = 1});
  time_steps(queue, state, inference, {.steps = 5, .repeats = 1});
  if (options.profile) queue.reset_profile();
  const std::vector<double> train_ms = time_steps(queue, state, training, options);
  if (options.profile) print_profile(queue);
  const std::vector<double> infer_ms = time_steps(queue, state, inference, options);

  const double median = train_ms[train_ms.size() / 2];
  const auto images = static_cast<double>(options.batch) * 1e3;
  fmt::print(
      "{{\"program\": \"vitcl\", \"device\": \"{}\", \"parameters\": {}, \"batch\": {}, \"ms_per_step\": {:.3f}, "
      "\"ms_per_step_min\": {:.3f}, \"images_per_second\": {:.1f}, \"inference_images_per_second\": {:.1f}}}\n",
      device.info().name, parameters.trainable_count(), options.batch, median, train_ms.front(), images / median,
      images / infer_ms[infer_ms.size() / 2]);
}

}  // namespace
}  // namespace vitcl

int main(int argc, char** argv) {
  try {
    vitcl::run(vitcl::parse_options({argv + 1, argv + argc}));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "vitcl_train_bench: {}\n", error.what());
    return 1;
  }
}
