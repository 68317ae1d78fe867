// Times recorded training steps, exactly those that `vitcl train` replays, on random images. Prints one line of JSON.
// As there, what the tuner found earlier decides the implementations, unless --tune off.
//
//   vitcl_train_bench [--steps N] [--repeats N] [--peak] [--profile] [--batch N] [OPTIONS OF vitcl train]
//
// --peak also measures the device's FMA peak and states the step's share of it; --profile adds, to stderr, the time in
// each kernel during the repeats (it slows them down), and to the JSON the work that the kernels say they did. The
// options of `vitcl train` that matter are --device, --model and those of the model, --batch-size (or --batch), --fuse
// and
// --recompute.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/fma_peak.hpp"
#include "train/step_timing.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/backend/tuning_store.hpp"

namespace vitcl::bench {
namespace {

using train::Steps, train::Timing, train::Workload;

struct Options {
  train::TrainConfig config;
  train::Amount amount{.steps = 40, .repeats = 5};
  bool peak = false;
  bool profile = false;
};

/// A positive number. Throws UsageError naming the option.
size_t parse_count(std::string_view option, const std::string& text) {
  size_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || rest != end || count == 0) {
    throw UsageError(fmt::format("{} takes a positive number, got \"{}\"", option, text));
  }
  return count;
}

/// The most memory of this process that ever was resident, in bytes.
size_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  constexpr size_t unit = 1024;  // Linux counts KiB
  return static_cast<size_t>(usage.ru_maxrss) * unit;
}

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  train::OptionTexts texts;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--peak" || name == "--profile") {
      (name == "--peak" ? options.peak : options.profile) = true;
      continue;
    }
    if (!name.starts_with("--")) throw UsageError(fmt::format("expected --NAME VALUE, got \"{}\"", name));
    const bool is_switch = i + 1 == arguments.size() || arguments[i + 1].starts_with("--");
    const std::string value = is_switch ? "on" : arguments[++i];
    if (name == "--steps" || name == "--repeats") {
      (name == "--steps" ? options.amount.steps : options.amount.repeats) = parse_count(name, value);
    } else {
      texts[name == "--batch" ? "batch-size" : name.substr(2)] = value;
    }
  }
  train::apply_options(options.config, texts);
  options.config.validate();
  return options;
}

/// Where the time of the profiled steps went, to stderr.
void print_profile(const std::vector<KernelProfile>& profile) {
  double total = 0;
  for (const KernelProfile& kernel : profile) total += kernel.seconds;
  fmt::print(stderr, "{:<40} {:>8} {:>10} {:>7} {:>9} {:>8}\n", "kernel", "calls", "ms", "share", "GFLOP/s", "GB/s");
  for (const KernelProfile& kernel : profile) {
    fmt::print(stderr, "{:<40} {:>8} {:>10.2f} {:>6.1f}% {:>9.1f} {:>8.1f}\n", kernel.name, kernel.calls,
               1e3 * kernel.seconds, 100 * kernel.seconds / total, 1e-9 * kernel.flops / kernel.seconds,
               1e-9 * kernel.bytes / kernel.seconds);
  }
}

double executed_gflop(const std::vector<KernelProfile>& profile, const train::Amount& amount) {
  double flops = 0;
  for (const KernelProfile& kernel : profile) flops += kernel.flops;
  return 1e-9 * flops / static_cast<double>(amount.steps * amount.repeats);
}

Device open_device(const Options& options) {
  if (options.config.tune == train::TuneMode::search) throw UsageError("--tune search: call `vitcl tune` first");
  const DeviceInfo info = select_device(options.config.device);
  DeviceOptions wanted{.profile = options.profile};
  if (options.config.tune == train::TuneMode::load) wanted.implementations = TuningStore().load(info).names();
  return Device(info, wanted);
}

nlohmann::ordered_json measure(const Options& options, std::chrono::steady_clock::time_point process_start) {
  Device device = open_device(options);
  Workload work(device, options.config);
  const size_t resident_before = peak_resident_bytes();
  Steps training = work.training();
  training.run({.steps = 1, .repeats = 1});
  const std::chrono::duration<double> first_step = std::chrono::steady_clock::now() - process_start;
  const size_t warm_up = std::min<size_t>(options.amount.steps, 4);
  training.run({.steps = warm_up, .repeats = 1});
  if (options.profile) device.queue().reset_profile();
  const Timing train = training.run(options.amount);
  const size_t resident_after = peak_resident_bytes();
  const std::vector<KernelProfile> profile = device.queue().profile();
  Steps inference = work.inference();
  inference.run({.steps = warm_up, .repeats = 1});
  const Timing infer = inference.run(options.amount);

  const double gflop = 1e-9 * work.counted_flops();
  const double gflops = 1e3 * gflop / train.median_ms;
  const auto images = 1e3 * static_cast<double>(options.config.batch_size);
  nlohmann::ordered_json result = {{"program", "vitcl"},
                                   {"device", device.info().name},
                                   {"parameters", work.parameter_count()},
                                   {"batch", options.config.batch_size},
                                   {"ms_per_step", train.median_ms},
                                   {"ms_per_step_min", train.least_ms},
                                   {"images_per_second", images / train.median_ms},
                                   {"inference_images_per_second", images / infer.median_ms},
                                   {"first_step_seconds", first_step.count()},
                                   {"cpu_idle_share", train.idle_share},
                                   {"planned_bytes", training.planned_bytes()},
                                   {"device_bytes", device.allocated_bytes()},
                                   {"resident_growth_bytes", resident_after - resident_before},
                                   {"gflop_per_step", gflop},
                                   {"gflop_per_second", gflops}};
  if (options.profile) {
    print_profile(profile);
    result["executed_gflop_per_step"] = executed_gflop(profile, options.amount);
  }
  if (options.peak) {
    const double peak = 1e-9 * train::fma_peak(device);
    result["peak_gflop_per_second"] = peak;
    result["share_of_peak"] = gflops / peak;
  }
  return result;
}

}  // namespace
}  // namespace vitcl::bench

int main(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  try {
    const auto options = vitcl::bench::parse_options({argv + 1, argv + argc});
    fmt::print("{}\n", vitcl::bench::measure(options, start).dump());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "vitcl_train_bench: {}\n", error.what());
    return 1;
  }
}
