#include "support/devices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <memory>

namespace vitcl::test {
namespace {

/// What a test name may hold: letters, digits, and single underscores (two set the device off from the case).
std::string as_identifier(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!result.empty() && result.back() != '_') {
      result += '_';
    }
  }
  while (!result.empty() && result.back() == '_') result.pop_back();
  return result;
}

std::string base_slug(const DeviceInfo& info) {
  const std::string name = as_identifier(info.name);
  if (name.starts_with("llvmpipe")) return "llvmpipe";
  if (is_oclgrind(info)) return "oclgrind";
  const std::string platform = as_identifier(info.alias.empty() ? info.platform : info.alias);
  return fmt::format("{}_{}", platform, to_string(info.caps.type));
}

bool wanted(const std::string& slug) {
  const char* list = std::getenv("VITCL_TEST_DEVICES");
  return list == nullptr || fmt::format(",{},", list).find("," + slug + ",") != std::string::npos;
}

std::vector<TestDevice> find_devices() {
  std::vector<TestDevice> devices;
  std::map<std::string, int> seen;
  for (const DeviceInfo& info : list_devices()) {
    std::string slug = base_slug(info);
    if (const int count = ++seen[slug]; count > 1) slug += fmt::format("_{}", count);
    if (wanted(slug)) devices.push_back({info, slug});
  }
  return devices;
}

std::map<std::string, std::unique_ptr<Device>>& opened() {
  static std::map<std::string, std::unique_ptr<Device>> devices;
  return devices;
}

}  // namespace

const std::vector<TestDevice>& test_devices() {
  static const std::vector<TestDevice> devices = find_devices();
  return devices;
}

Device& open_device(const TestDevice& device) {
  std::unique_ptr<Device>& slot = opened()[device.slug];
  if (!slot) slot = std::make_unique<Device>(device.info);
  return *slot;
}

void close_devices() { opened().clear(); }

bool is_oclgrind(const DeviceInfo& info) { return info.caps.interpreter; }

}  // namespace vitcl::test
