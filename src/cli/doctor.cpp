// vitcl doctor: whether what the devices compute is right.
#include <unistd.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "device_report.hpp"
#include "drivers.hpp"
#include "options.hpp"
#include "trace_file.hpp"
#include "trust.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/backend/variables.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/train/environment.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string report, time_limit = "1800s";
};

/// What a bug report needs beside the results.
struct Surroundings {
  std::map<std::string, std::string> variables;
  std::unique_ptr<DriverGuard> guard;
};

struct Examined {
  DeviceInfo device;
  selftest::Report report;
};

std::string error_text(const selftest::OpResult& op) {
  constexpr double most_shown = 1e4;
  if (op.inputs == 0) return "";
  if (!std::isfinite(op.worst_error)) return "not finite";
  if (op.unit == "ulp") return fmt::format("{:.1f} ulp", op.worst_error);
  if (op.worst_error == 0) return "exact";
  return op.worst_error > most_shown ? "far off" : fmt::format("{:.1f} % of its limit", 100 * op.worst_error);
}

std::string verdict_line(const selftest::Report& report) {
  const auto failed = std::ranges::count_if(report.ops, [](const auto& op) { return !op.failures.empty(); });
  if (report.passed()) return fmt::format("passed: {} checks in {:.1f} s", report.ops.size(), report.seconds);
  return fmt::format("FAILED: {} of {} checks, in {:.1f} s", failed, report.ops.size(), report.seconds);
}

/// At most so many failures of an op: one wrong kernel fails at every input.
constexpr size_t shown_failures = 3;

std::string table(const Examined& examined) {
  const DeviceInfo& device = examined.device;
  std::string text = fmt::format("{} {}, driver {}\n", device.selector(), describe(device), device.driver_version);
  text += fmt::format("  {:<7} {:<15} {:>7}  {}\n", "", "CHECK", "INPUTS", "WORST ERROR");
  for (const selftest::OpResult& op : examined.report.ops) {
    text += fmt::format("  {:<7} {:<15} {:>7}  {}\n", op.failures.empty() ? "ok" : "FAILED", op.op,
                        op.inputs == 0 ? "" : grouped(op.inputs), error_text(op));
    for (size_t i = 0; i < std::min(op.failures.size(), shown_failures); ++i) {
      text += fmt::format("          {}\n", op.failures[i]);
    }
    if (op.failures.size() > shown_failures) {
      text += fmt::format("          and {} more\n", op.failures.size() - shown_failures);
    }
  }
  return text + verdict_line(examined.report) + "\n";
}

ordered_json to_json(const Examined& examined) {
  const DeviceInfo& device = examined.device;
  ordered_json json = {{"id", device.selector()},
                       {"name", device.name},
                       {"alias", device.alias},
                       {"platform", device.platform},
                       {"driver_version", device.driver_version}};
  json.update(ordered_json::parse(selftest::to_json(examined.report)));
  return json;
}

/// `problem`: why no device was tested, if so.
void write_report(const std::string& file, const Surroundings& surroundings, const std::vector<Examined>& all,
                  const std::string& problem = "") {
  if (file.empty()) return;
  std::vector<DeviceInfo> devices;
  for (const Examined& examined : all) devices.push_back(examined.device);
  std::string text = fmt::format("vitcl doctor\n\n{}\n", train::environment_json(surroundings.variables, devices));
  for (const DriverCheck& driver : surroundings.guard->drivers()) {
    text += fmt::format("driver {}: {}\n", driver.icd.string(), driver.failure.empty() ? "opened" : driver.failure);
  }
  for (const Examined& examined : all) text += "\n" + table(examined);
  if (!problem.empty()) text += "\n" + problem + "\n";
  io::write_text_file(file, text);
}

std::vector<DeviceInfo> wanted_devices(const Options& options, const std::set<std::string>& from_file) {
  const train::TrainConfig config = options.flags.config(from_file);
  const bool all = !options.flags.given(from_file).contains("device");
  if (!all) return {select_device(config.device)};
  std::vector<DeviceInfo> devices = list_devices();
  if (devices.empty()) select_device("auto", devices);  // says how to get one
  return devices;
}

int run(const Options& options, const std::set<std::string>& from_file) {
  const double limit = seconds_of("--time-limit", options.time_limit);
  if (!options.report.empty()) require_writable(options.report);
  const Notes note(options.quiet);
  Surroundings surroundings{relevant_variables(), nullptr};  // before the guard sets one
  surroundings.guard = guard_drivers(note);
  std::vector<DeviceInfo> devices;
  try {
    devices = wanted_devices(options, from_file);
  } catch (const DeviceError& error) {
    write_report(options.report, surroundings, {}, error.what());
    throw;
  }
  std::vector<Examined> all;
  for (const DeviceInfo& device : devices) {
    note("testing {}; its kernels are compiled first, where its driver has not kept them", describe(device));
    all.push_back({device, examine(device, limit, note)});
    if (!options.json) print("{}\n", table(all.back()));
    std::fflush(stdout);
  }
  if (options.json) {
    ordered_json list = ordered_json::array();
    for (const Examined& examined : all) list.push_back(to_json(examined));
    print("{}\n", list.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  }
  write_report(options.report, surroundings, all);
  const bool passed = std::ranges::all_of(all, [](const Examined& examined) { return examined.report.passed(); });
  return passed ? exit_done : exit_device;
}

int run_device(const ConfigFlags& flags) {
  // Should the process that started this one be gone, a driver that hangs shall not stay behind.
  constexpr unsigned longest = 7200;
  alarm(longest);
  print("{}\n", selftest::to_json(selftest::run(select_device(flags.config({}).device))));
  return exit_done;
}

}  // namespace

Command add_doctor(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("doctor", "Test whether what the devices compute is right");
  options->flags.add(*app, {"device"});
  app->add_option("--report", options->report, "write a text to FILE that says all a bug report needs")
      ->option_text("FILE")
      ->take_last();
  app->add_option("--time-limit", options->time_limit, "a device that takes longer fails")
      ->option_text("TIME [1800s]")
      ->take_last();
  add_config_file(*app, *options);
  add_json(*app, *options);
  add_quiet(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

/// Not for users: `vitcl doctor` and `vitcl train` start it, so that a driver that crashes or hangs takes nothing with
/// it.
Command add_doctor_device(CLI::App& root) {
  auto flags = std::make_shared<ConfigFlags>();
  CLI::App* app = root.add_subcommand("doctor-device", "Test one device")->group("");
  flags->add(*app, {"device"});
  return {app, [flags] { return run_device(*flags); }};
}

}  // namespace vitcl::cli
