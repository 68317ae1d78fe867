// What a run or a test ran on; a run keeps it as environment.json.
#include "vitcl/train/environment.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/utc_time.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/backend/variables.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/train/run_folder.hpp"

namespace vitcl::train {
namespace {

using nlohmann::ordered_json;

ordered_json describe(const DeviceInfo& device) {
  return {{"name", device.name},
          {"vendor", device.vendor},
          {"type", to_string(device.caps.type)},
          {"platform", device.platform},
          {"platform_version", device.platform_version},
          {"device_version", device.device_version},
          {"driver_version", device.driver_version},
          {"extensions", device.extensions},
          {"compute_units", device.caps.compute_units},
          {"memory_bytes", device.caps.memory_bytes},
          {"max_allocation_bytes", device.caps.max_allocation}};
}

ordered_json describe_system() {
  utsname system{};
  if (uname(&system) != 0) return nullptr;
  return {{"name", system.sysname}, {"release", system.release}, {"machine", system.machine}};
}

#ifdef __clang__
constexpr const char* compiler = __VERSION__;
#else
constexpr const char* compiler = "GCC " __VERSION__;
#endif

/// {"gemm": {"nt_1700x192x64": "tile_6x16", ...}, ...}
ordered_json to_json(const ImplementationNames& implementations) {
  ordered_json json = ordered_json::object();
  for (const auto& [key, name] : implementations) json[key.op][key.shape] = name;
  return json;
}

ImplementationNames to_implementations(const ordered_json& json) {
  ImplementationNames implementations;
  for (const auto& [op, shapes] : json.items()) {
    for (const auto& [shape, name] : shapes.items()) implementations[{op, shape}] = name.get<std::string>();
  }
  return implementations;
}

/// The devices of a run. Files from before a run could have several tell of one, with its implementations, if any,
/// beside it.
ordered_json devices_of(const ordered_json& environment) {
  if (environment.contains("devices")) return environment.at("devices");
  ordered_json device = environment.at("device");
  device["implementations"] = environment.value("implementations", ordered_json::object());
  return ordered_json::array({device});
}

ordered_json describe_environment(const std::map<std::string, std::string>& variables) {
  return {{"vitcl", version()},          {"compiler", compiler},   {"written", utc_time()},
          {"system", describe_system()}, {"variables", variables}, {"devices", ordered_json::array()}};
}

std::string dumped(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

const char* version() { return VITCL_VERSION; }

std::string environment_json(const std::map<std::string, std::string>& variables,
                             const std::vector<DeviceInfo>& devices) {
  ordered_json environment = describe_environment(variables);
  for (const DeviceInfo& device : devices) environment["devices"].push_back(describe(device));
  return dumped(environment);
}

void RunFolder::write_environment(const std::vector<UsedDevice>& devices) const {
  ordered_json environment = describe_environment(relevant_variables());
  for (const UsedDevice& device : devices) {
    ordered_json entry = describe(device.info);
    entry["implementations"] = to_json(device.implementations);
    environment["devices"].push_back(std::move(entry));
  }
  io::write_text_file(environment_file(), dumped(environment) + "\n");
}

std::optional<ImplementationNames> RunFolder::read_implementations(const DeviceInfo& device) const {
  if (!std::filesystem::exists(environment_file())) return std::nullopt;
  try {
    const ordered_json environment = ordered_json::parse(std::ifstream(environment_file()));
    for (const ordered_json& then : devices_of(environment)) {
      if (then.at("name") != device.name || then.at("platform") != device.platform) continue;
      return to_implementations(then.value("implementations", ordered_json::object()));
    }
    return std::nullopt;
  } catch (const ordered_json::exception& error) {
    throw StorageError(
        fmt::format("{} is damaged: {}. Without this file --resume goes on with the implementations "
                    "that a new run would take, whose results may differ in their last bits",
                    environment_file().string(), error.what()));
  }
}

}  // namespace vitcl::train
