// vitcl bench: how fast devices are at training a Vision Transformer, and one table from many machines' figures.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include "bench_page.hpp"
#include "command.hpp"
#include "device_report.hpp"
#include "drivers.hpp"
#include "options.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/models/vit.hpp"
#include "vitcl/selftest/selftest.hpp"
#include "vitcl/train/benchmark.hpp"

namespace vitcl::cli {
namespace {

using train::BenchmarkReport;
using train::DeviceBenchmark;

struct Options : CommonOptions {
  std::string device, output = "vitcl-bench.json", html, time_limit = "1800s";
  std::vector<std::string> models = {"article", "small"}, files;
  std::optional<size_t> batch;
};

std::string percent(double share) { return share > 0 ? fmt::format("{:.1f}%", 100 * share) : "-"; }

void print_limits(const std::vector<BenchColumn>& columns) {
  print("{:<24} {:>6} {:>9} {:>11} {:>11} {:>11} {:>11} {:>5}  {}\n", "DEVICE", "UNITS", "LAUNCH", "PEAK", "MEMORY",
        "UPLOAD", "DOWNLOAD", "ULP", "HASH OF THE WEIGHTS");
  for (const BenchColumn& column : columns) {
    if (!column.device->failure.empty()) {
      print("{:<24} {:>6} {}\n", column.title, column.device->compute_units, column.device->failure);
      continue;
    }
    const train::DeviceLimits& limits = column.device->limits;
    print("{:<24} {:>6} {:>6.1f} us {:>6} GF/s {:>6} GB/s {:>6} GB/s {:>6} GB/s {:>5}  {}\n", column.title,
          column.device->compute_units, 1e6 * limits.launch_seconds, in_billions(limits.flops_per_second),
          in_billions(limits.bytes_per_second), in_billions(limits.upload_bytes_per_second),
          in_billions(limits.download_bytes_per_second), in_ulp(column.device->worst_ulp), column.device->weights_hash);
  }
}

void print_models(const std::vector<BenchColumn>& columns) {
  print("\n{:<24} {:<10} {:>6} {:>16} {:>17} {:>9} {:>10}\n", "DEVICE", "MODEL", "BATCH", "TRAINING", "INFERENCE",
        "OF PEAK", "ENERGY");
  for (const BenchColumn& column : columns) {
    for (const train::ModelSpeed& model : column.device->models) {
      if (!model.failure.empty()) {
        print("{:<24} {:<10} {:>6} {}\n", column.title, model.model, model.batch, model.failure);
        continue;
      }
      const auto images = static_cast<double>(model.batch);
      print("{:<24} {:<10} {:>6} {:>9} images/s {:>9} images/s {:>8} {:>10}\n", column.title, model.model, model.batch,
            rate(images / model.training_seconds), rate(images / model.inference_seconds),
            percent(peak_share(model, column.device->limits)),
            model.joules ? fmt::format("{:.2f} J", *model.joules / images) : "-");
    }
  }
}

void print_shares(const BenchTable& table) {
  print(
      "\nShare of the device's roofline; PP is Pennycook's performance portability, the harmonic mean over the "
      "devices\n");
  print("{:<10} {:<14} {:<24}", "MODEL", "OP", "SHAPE");
  for (const BenchColumn& column : table.columns) print(" {:>12.12}", column.title);
  print(" {:>7}\n", "PP");
  for (const BenchRow& row : table.rows) {
    print("{:<10} {:<14} {:<24}", row.model, row.op, row.shape);
    for (const double share : row.shares) print(" {:>12}", percent(share));
    print(" {:>7}\n", percent(row.portability));
  }
}

void print_table(const BenchTable& table) {
  print_limits(table.columns);
  print_models(table.columns);
  print_shares(table);
}

std::vector<DeviceInfo> chosen_devices(const std::string& list) {
  if (!list.empty()) return select_devices(list);
  std::vector<DeviceInfo> devices = list_devices();
  std::erase_if(devices, [](const DeviceInfo& device) { return device.caps.interpreter; });
  if (devices.empty()) select_device("auto");  // says how to get one
  return devices;
}

/// The self-test's largest error in units in the last place.
std::optional<double> worst_ulp(const DeviceInfo& device) {
  std::optional<double> worst;
  for (const selftest::OpResult& result : selftest::run(device).ops) {
    if (result.unit == "ulp") worst = std::max(worst.value_or(0), result.worst_error);
  }
  return worst;
}

std::vector<std::string> child_command(const DeviceInfo& device, const Options& options) {
  std::vector<std::string> command = {"/proc/self/exe", "bench-device",
                                      "--device",       device.selector(),
                                      "--model",        fmt::format("{}", fmt::join(options.models, ","))};
  if (options.batch) command.insert(command.end(), {"--batch-size", std::to_string(*options.batch)});
  return command;
}

int run(const Options& options) {
  const double limit = seconds_of("--time-limit", options.time_limit);
  const Notes note(options.quiet);
  for (const std::string& model : options.models) models::preset(model);  // throws for a name that there is not
  io::AtomicFile file(options.output);                                    // throws where it could not be saved
  BenchmarkReport report = train::new_benchmark_report();
  const auto guard = guard_drivers(note);
  for (const DeviceInfo& device : chosen_devices(options.device)) {
    note("measuring {}; that takes minutes", describe(device));
    report.devices.push_back(train::benchmark_in_child(device, child_command(device, options), limit));
    const std::string& failure = report.devices.back().failure;
    if (!failure.empty()) print_error(fmt::format("{}: {}", device.name, failure));
  }
  if (std::ranges::none_of(report.devices, [](const auto& device) { return device.failure.empty(); })) {
    throw DeviceError("no device could be measured; the reasons are above");
  }
  file.write(train::to_json(report));
  file.commit();
  const std::vector<BenchmarkReport> reports = {std::move(report)};
  if (options.json) {
    print("{}", train::to_json(reports.front()));
  } else {
    print_table(bench_table(reports));
  }
  note("saved   {}", options.output);
  return exit_done;
}

/// Measures one device and prints the report as a line; of what can't be measured, why.
int run_device(const Options& options) {
  // Should the process that started this one be gone, a driver that hangs shall not stay behind.
  constexpr unsigned longest = 7200;
  alarm(longest);
  const DeviceInfo device = select_device(options.device);
  BenchmarkReport report = train::new_benchmark_report();
  DeviceBenchmark& measured = report.devices.emplace_back(train::new_device_benchmark(device));
  try {
    measured = train::benchmark_device(device, options.models, options.batch);
    measured.worst_ulp = worst_ulp(device);
  } catch (const Error& error) {
    measured.failure = error.what();
  }
  print("{}", train::to_json(report, true));
  return exit_done;
}

BenchmarkReport read_report(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw DataError(fmt::format("{}: can't be read", path));
  return train::benchmark_from_json(text, path);
}

int merge(const Options& options) {
  std::vector<BenchmarkReport> reports;
  for (const std::string& file : options.files) reports.push_back(read_report(file));
  const BenchTable table = bench_table(reports);
  if (!options.html.empty()) io::write_text_file(options.html, bench_page(reports, table));
  print_table(table);
  if (!options.html.empty()) print("\nsaved   {}\n", options.html);
  return exit_done;
}

void add_work(CLI::App& app, Options& options) {
  app.add_option("--model", options.models, "presets whose ops and steps are measured")
      ->option_text("NAME,... [article,small]")
      ->delimiter(',');
  constexpr size_t most_images = 65536;
  app.add_option("--batch-size", options.batch, "images a step [100, of images above 32 pixels 8]")
      ->option_text("N")
      ->check(CLI::Range(size_t{1}, most_images));
}

}  // namespace

Command add_bench(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("bench", "Measure devices: limits, ops, training; merge many machines' figures");
  app->add_option("--device", options->device, "the devices to measure; all but interpreters where it is not given")
      ->option_text("DEVICE,...");
  add_work(*app, *options);
  app->add_option("--time-limit", options->time_limit, "a device that takes longer counts as failed")
      ->option_text("TIME [1800s]")
      ->take_last();
  app->add_option("--output", options->output, "file for the figures")->option_text("FILE [vitcl-bench.json]");
  add_json(*app, *options);
  add_quiet(*app, *options);
  app->require_subcommand(0, 1);
  CLI::App* merging = app->add_subcommand("merge", "One table, and one page, from the files of several runs");
  merging->add_option("files", options->files, "files that `vitcl bench` wrote")->option_text("FILE...")->required();
  merging->add_option("--html", options->html, "write a page that needs nothing else")->option_text("FILE");
  return {app, [options, merging, &root, app] {
            complete_options(root, *app);
            return merging->parsed() ? merge(*options) : run(*options);
          }};
}

/// Not for users: `vitcl bench` starts it, so that a driver that crashes or hangs takes nothing with it.
Command add_bench_device(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("bench-device", "Measure one device")->group("");
  app->add_option("--device", options->device, "the device")->required();
  add_work(*app, *options);
  return {app, [options] { return run_device(*options); }};
}

}  // namespace vitcl::cli
