#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "backend/quirks.hpp"
#include "vitcl/backend/device.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::optional<size_t> number(std::string_view text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string candidates(const std::vector<DeviceInfo>& devices) {
  std::string text;
  for (const auto& d : devices) {
    text += fmt::format("\n  {}  {}:{}  {}  ({}{}{})", d.index, d.platform_index, d.device_index, d.name, d.platform,
                        d.alias.empty() ? "" : ", ", d.alias);
  }
  return text;
}

// GPUs, then PoCL, Intel, others, llvmpipe; an interpreter only where there is nothing else.
DeviceInfo best(const std::vector<DeviceInfo>& devices) {
  const auto rank = [](const DeviceInfo& d) {
    const int by_type = d.caps.type == DeviceType::gpu ? 0 : 1;
    return std::pair(by_type, preference_rank(d));
  };
  return *std::min_element(devices.begin(), devices.end(),
                           [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

std::optional<DeviceInfo> by_type(const std::string& selector, const std::vector<DeviceInfo>& devices) {
  if (selector == "auto" || selector.empty()) return best(devices);
  if (selector != "cpu" && selector != "gpu" && selector != "accelerator") return std::nullopt;
  std::vector<DeviceInfo> of_type;
  std::copy_if(devices.begin(), devices.end(), std::back_inserter(of_type),
               [&](const auto& d) { return to_string(d.caps.type) == selector; });
  if (of_type.empty()) {
    throw DeviceError(fmt::format("no {} among the OpenCL devices; there is:{}", selector, candidates(devices)));
  }
  return best(of_type);
}

std::optional<DeviceInfo> by_number(const std::string& selector, const std::vector<DeviceInfo>& devices) {
  const auto colon = selector.find(':');
  const auto first = number(std::string_view(selector).substr(0, colon));
  if (!first) return std::nullopt;
  std::optional<size_t> second;
  if (colon != std::string::npos) {
    second = number(std::string_view(selector).substr(colon + 1));
    if (!second) return std::nullopt;
  }
  const auto found = std::find_if(devices.begin(), devices.end(), [&](const auto& d) {
    return second ? d.platform_index == *first && d.device_index == *second : d.index == *first;
  });
  if (found == devices.end()) {
    throw DeviceError(fmt::format("no device {}; there is:{}", selector, candidates(devices)));
  }
  return *found;
}

DeviceInfo by_name(const std::string& selector, const std::vector<DeviceInfo>& devices) {
  const auto is_alias = [&](const DeviceInfo& d) {
    return std::find(d.aliases.begin(), d.aliases.end(), selector) != d.aliases.end();
  };
  const auto in_platform = [&](const DeviceInfo& d) { return lower(d.platform).find(selector) != std::string::npos; };
  const auto in_name = [&](const DeviceInfo& d) { return lower(d.name).find(selector) != std::string::npos; };
  const auto tier = [&](const auto& matches) {
    std::vector<DeviceInfo> found;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(found), matches);
    return found;
  };
  auto found = tier(is_alias);
  if (found.empty()) found = tier(in_platform);
  if (found.empty()) found = tier(in_name);
  if (found.empty()) {
    throw DeviceError(
        fmt::format("no OpenCL device is called \"{}\"; there is:{}\nName one by its number, P:D or name.", selector,
                    candidates(devices)));
  }
  if (found.size() > 1) {
    throw DeviceError(
        fmt::format("\"{}\" means several devices; name one by its number or P:D:{}", selector, candidates(found)));
  }
  return found.front();
}

}  // namespace

DeviceInfo select_device(std::string_view selector, const std::vector<DeviceInfo>& devices) {
  if (devices.empty()) {
    throw DeviceError(
        "no OpenCL device on this machine: the loader found no driver with a device.\n"
        "Install one: pocl-opencl-icd runs on any CPU (Debian, Ubuntu: apt-get install pocl-opencl-icd); "
        "mesa-opencl-icd, "
        "intel-opencl-icd, rocm-opencl-icd or nvidia-opencl-icd serve GPUs. Then `vitcl devices` lists it.");
  }
  const auto name = lower(trimmed(selector));
  if (auto device = by_type(name, devices)) return *device;
  if (auto device = by_number(name, devices)) return *device;
  return by_name(name, devices);
}

DeviceInfo select_device(std::string_view selector) { return select_device(selector, list_devices()); }

}  // namespace vitcl
