// vitcl devices: what OpenCL finds on this machine.
#include <fmt/ranges.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "device_report.hpp"
#include "drivers.hpp"
#include "explain.hpp"
#include "options.hpp"
#include "vitcl/backend/variables.hpp"
#include "vitcl/train/device_speed.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  bool explain = false, lines = false, measure = false;
  std::string time_limit = fmt::format("{}s", driver_seconds);
};

ordered_json to_json(const DeviceInfo& device, bool chosen) {
  const DeviceCaps& caps = device.caps;
  const auto or_null = [](const std::string& text) { return text.empty() ? ordered_json() : ordered_json(text); };
  return {{"index", device.index},
          {"id", device.selector()},
          {"name", device.name},
          {"vendor", device.vendor},
          {"type", to_string(caps.type)},
          {"alias", device.alias},
          {"platform", device.platform},
          {"platform_version", device.platform_version},
          {"device_version", device.device_version},
          {"driver_version", device.driver_version},
          {"uuid", or_null(device.uuid)},
          {"pci_address", or_null(device.pci_address)},
          {"compute_units", caps.compute_units},
          {"memory_bytes", caps.memory_bytes},
          {"max_allocation_bytes", caps.max_allocation},
          {"local_bytes", caps.local_bytes},
          {"max_work_group", caps.max_work_group},
          {"fp16", caps.fp16},
          {"fp64", caps.fp64},
          {"subgroups", caps.subgroups},
          {"trusted", device.trusted ? ordered_json(*device.trusted) : ordered_json()},
          {"tuned", device.tuned_choices},
          {"training_gflops", device.training_speed > 0 ? ordered_json(device.training_speed) : ordered_json()},
          {"auto", chosen}};
}

std::string features(const DeviceCaps& caps) {
  std::vector<std::string_view> names;
  if (caps.fp16) names.push_back("fp16");
  if (caps.fp64) names.push_back("fp64");
  if (caps.subgroups) names.push_back("subgroup");
  return names.empty() ? "-" : fmt::format("{}", fmt::join(names, " "));
}

std::string_view known_as(const DeviceInfo& device) { return device.alias.empty() ? device.platform : device.alias; }

/// Two lines a device, of less than 100 columns but for long names: figures, then names.
void print_table(const std::vector<DeviceInfo>& devices, size_t chosen) {
  constexpr auto row = "{:<1} {:>5} {:<5} {:<11} {:>5} {:>8} {:>8} {:>8} {:<18} {:<7} {:>5} {:>7}\n";
  print(row, "", "INDEX", "P:D", "TYPE", "UNITS", "MEMORY", "LARGEST", "LOCAL", "EXTENSIONS", "TRUSTED", "TUNED",
        "GFLOP/S");
  const auto number = [](auto value, auto text) { return value > 0 ? text : std::string("-"); };
  const auto bytes = [](size_t count) { return in_bytes(static_cast<double>(count)); };
  for (const DeviceInfo& device : devices) {
    const DeviceCaps& caps = device.caps;
    print(row, device.index == chosen ? "*" : "", device.index, device.selector(), to_string(caps.type),
          caps.compute_units, bytes(caps.memory_bytes), bytes(caps.max_allocation), bytes(caps.local_bytes),
          features(caps),
          !device.trusted   ? "-"
          : *device.trusted ? "yes"
                            : "NO",
          number(device.tuned_choices, std::to_string(device.tuned_choices)),
          number(device.training_speed, fmt::format("{:.1f}", device.training_speed)));
    print("{:>8}{}: {}; {}, driver {}\n", "", known_as(device), device.name, device.platform, device.driver_version);
  }
  print(
      "\n* is what --device auto takes. LARGEST is the most memory in one allocation, TRUSTED what the\n"
      "self-test of `vitcl doctor` said, TUNED the choices that `vitcl tune` made, GFLOP/S the speed of\n"
      "training; `vitcl devices --measure` measures it.\n");
}

void print_variables(const std::map<std::string, std::string>& variables) {
  if (variables.empty()) return;
  print("\nThe environment says:\n");
  for (const auto& [name, value] : variables) print("  {}={}\n", name, value);
}

/// Measures how fast each device trains, where it can be measured.
void measure(const std::vector<DeviceInfo>& devices, const Notes& note) {
  constexpr double longest = 120;
  const TuningStore store;
  for (const DeviceInfo& device : devices) {
    note("measuring {}", describe(device));
    const train::Measurement result = train::measure_training(
        device, store, {"/proc/self/exe", "measure-training", "--device", device.selector()}, longest);
    if (!result.failure.empty()) note("not measured: {}: {}", describe(device), result.failure);
  }
}

void print_json(const std::vector<DeviceInfo>& devices, size_t chosen, const Options& options,
                const train::TrainConfig& config) {
  ordered_json list = ordered_json::array();
  for (const DeviceInfo& device : devices) {
    list.push_back(to_json(device, device.index == chosen));
    if (options.explain) list.back()["explanation"] = ordered_json::parse(to_json(explain(device, config)));
  }
  print("{}\n", list.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

int run(const Options& options) {
  const train::TrainConfig config = options.flags.config({});
  config.validate();
  const double limit = seconds_of("--time-limit", options.time_limit);
  const Notes note(options.quiet);
  const auto variables = relevant_variables();  // before the guard sets one
  const auto guard = guard_drivers(note, limit);
  std::vector<DeviceInfo> devices = list_devices();
  if (options.measure) {
    measure(devices, note);
    devices = list_devices();
  }
  if (devices.empty() && options.json) print("[]\n");
  const size_t chosen = select_device("auto", devices).index;  // without any device this says how to get one
  if (options.json) {
    print_json(devices, chosen, options, config);
  } else if (options.lines) {
    for (const DeviceInfo& device : devices) print("{} {}: {}\n", device.index, known_as(device), device.name);
  } else {
    print_table(devices, chosen);
    print_variables(variables);
    for (const DeviceInfo& device : devices) {
      if (options.explain) print_explanation(explain(device, config));
    }
  }
  return exit_done;
}

}  // namespace

Command add_devices(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("devices", "List the OpenCL devices of this machine");
  CLI::Option* lines = app->add_flag("-L,--list", options->lines,
                                     "one line a device: index, driver and name; not with --json or --explain");
  app->add_flag("--measure", options->measure, "measure how fast each trains; --device auto then takes the fastest");
  CLI::Option* explain = app->add_flag("--explain", options->explain,
                                       "show which implementation each op of a training step uses, and why");
  lines->excludes(explain);
  options->flags.add(*app, {"model", "batch-size", "fuse"});
  for (const char* name : {"--model", "--batch-size", "--fuse"}) {
    CLI::Option* option = app->get_option(name)->needs(explain);
    option->description(option->get_description() + "; with --explain");
  }
  app->add_option("--time-limit", options->time_limit, "a driver that takes longer to open its devices is left out")
      ->option_text(fmt::format("TIME [{}]", options->time_limit))
      ->take_last();
  add_json(*app, *options);
  lines->excludes("--json");
  add_quiet(*app, *options);
  return {app, [options] { return run(*options); }};
}

/// Not for users: `vitcl devices --measure` starts it, so that a device that crashes or hangs takes nothing with it.
Command add_measure_training(CLI::App& root) {
  auto flags = std::make_shared<ConfigFlags>();
  CLI::App* app = root.add_subcommand("measure-training", "Measure how fast a device trains")->group("");
  flags->add(*app, {"device"});
  return {app, [flags] {
            constexpr unsigned longest = 300;  // should the process that started this one be gone
            alarm(longest);
            print("{}\n", train::to_json(train::time_training(select_device(flags->config({}).device))));
            return exit_done;
          }};
}

}  // namespace vitcl::cli
