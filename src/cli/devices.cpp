// vitcl devices: what OpenCL finds on this machine.
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "console.hpp"
#include "explain.hpp"
#include "options.hpp"
#include "vitcl/backend/device.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  bool explain = false;
};

ordered_json to_json(const DeviceInfo& device, bool chosen) {
  const DeviceCaps& caps = device.caps;
  return {{"index", device.index},
          {"id", fmt::format("{}:{}", device.platform_index, device.device_index)},
          {"name", device.name},
          {"vendor", device.vendor},
          {"type", to_string(caps.type)},
          {"alias", device.alias},
          {"platform", device.platform},
          {"platform_version", device.platform_version},
          {"device_version", device.device_version},
          {"driver_version", device.driver_version},
          {"compute_units", caps.compute_units},
          {"memory_bytes", caps.memory_bytes},
          {"max_allocation_bytes", caps.max_allocation},
          {"local_bytes", caps.local_bytes},
          {"max_work_group", caps.max_work_group},
          {"fp16", caps.fp16},
          {"fp64", caps.fp64},
          {"auto", chosen}};
}

void print_table(const std::vector<DeviceInfo>& devices, size_t chosen) {
  print("{:<2}{:<6} {:<5} {:<12} {:<9} {:>5} {:>10} {:>10}  {}\n", "", "INDEX", "P:D", "TYPE", "ALIAS", "UNITS",
        "MEMORY", "LARGEST", "NAME");
  for (const DeviceInfo& device : devices) {
    const DeviceCaps& caps = device.caps;
    print("{:<2}{:<6} {:<5} {:<12} {:<9} {:>5} {:>10} {:>10}  {} ({})\n", device.index == chosen ? "*" : "",
          device.index, fmt::format("{}:{}", device.platform_index, device.device_index), to_string(caps.type),
          device.alias.empty() ? "-" : device.alias, caps.compute_units,
          in_bytes(static_cast<double>(caps.memory_bytes)), in_bytes(static_cast<double>(caps.max_allocation)),
          device.name, device.platform);
  }
  print("\n* is what --device auto takes. LARGEST is the most memory in one allocation.\n");
}

int run(const Options& options) {
  const std::vector<DeviceInfo> devices = list_devices();
  if (devices.empty() && options.json) print("[]\n");
  const size_t chosen = select_device("auto", devices).index;  // without any device this says how to get one
  const train::TrainConfig config = options.flags.config({});
  config.validate();
  if (!options.json) {
    print_table(devices, chosen);
    for (const DeviceInfo& device : devices) {
      if (options.explain) print_explanation(explain(device, config));
    }
    return exit_done;
  }
  ordered_json list = ordered_json::array();
  for (const DeviceInfo& device : devices) {
    list.push_back(to_json(device, device.index == chosen));
    if (options.explain) list.back()["explanation"] = ordered_json::parse(to_json(explain(device, config)));
  }
  print("{}\n", list.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  return exit_done;
}

}  // namespace

Command add_devices(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("devices", "List the OpenCL devices of this machine");
  CLI::Option* explain = app->add_flag("--explain", options->explain,
                                       "show which implementation each op of a training step uses, and why");
  options->flags.add(*app, {"model", "batch-size", "fuse"});
  for (const char* name : {"--model", "--batch-size", "--fuse"}) app->get_option(name)->needs(explain);
  add_json(*app, *options);
  return {app, [options] { return run(*options); }};
}

}  // namespace vitcl::cli
