// environment.json: what a run ran on.
#include <sys/utsname.h>

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

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
          {"compute_units", device.caps.compute_units},
          {"memory_bytes", device.caps.memory_bytes},
          {"max_allocation_bytes", device.caps.max_allocation}};
}

ordered_json describe_system() {
  utsname system{};
  if (uname(&system) != 0) return nullptr;
  return {{"name", system.sysname}, {"release", system.release}, {"machine", system.machine}};
}

ordered_json set_variables() {
  ordered_json variables = ordered_json::object();
  for (const char* name : {"VITCL_DEVICE", "VITCL_DATA_DIR", "VITCL_IMPL", "VITCL_KERNEL_DIR", "RUSTICL_ENABLE",
                           "OCL_ICD_VENDORS", "OPENCL_LAYERS", "POCL_MAX_PTHREAD_COUNT"}) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  return variables;
}

#ifdef __clang__
constexpr const char* compiler = __VERSION__;
#else
constexpr const char* compiler = "GCC " __VERSION__;
#endif

std::string now() {
  char text[32];
  std::time_t time = std::time(nullptr);
  std::tm calendar{};
  gmtime_r(&time, &calendar);
  size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &calendar);
  return std::string(text, length);
}

}  // namespace

const char* version() { return VITCL_VERSION; }

void RunFolder::write_environment(const DeviceInfo& device) const {
  ordered_json environment = {{"vitcl", version()},         {"compiler", compiler},
                              {"written", now()},           {"system", describe_system()},
                              {"device", describe(device)}, {"variables", set_variables()}};
  io::write_text_file(path_ / "environment.json",
                      environment.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace vitcl::train
