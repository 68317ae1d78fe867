#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <optional>

#include "backend/native_devices.hpp"
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

// Those that did not fail the self-test; all where none is left.
std::vector<DeviceInfo> trusted(const std::vector<DeviceInfo>& devices) {
  std::vector<DeviceInfo> kept;
  std::ranges::copy_if(devices, std::back_inserter(kept), [](const DeviceInfo& d) { return d.trusted.value_or(true); });
  return kept.empty() ? devices : kept;
}

// GPUs, then PoCL, Intel, others, llvmpipe; an interpreter only where there is nothing else. Once the first of these
// was measured, the fastest of those that were: a device too slow to be measured decides nothing.
DeviceInfo best(const std::vector<DeviceInfo>& all) {
  const std::vector<DeviceInfo> devices = trusted(all);
  const DeviceInfo& first = *std::ranges::min_element(devices, {}, [](const DeviceInfo& d) {
    return std::pair(d.caps.type == DeviceType::gpu ? 0 : 1, preference_rank(d));
  });
  const DeviceInfo& fastest = *std::ranges::max_element(devices, {}, &DeviceInfo::training_speed);
  constexpr double noise = 1.05;
  const bool beaten = first.training_speed > 0 && fastest.training_speed > noise * first.training_speed;
  return beaten ? fastest : first;
}

bool is_type(std::string_view selector) {
  return selector == "auto" || selector == "cpu" || selector == "gpu" || selector == "accelerator";
}

std::optional<DeviceInfo> by_type(const std::string& selector, const std::vector<DeviceInfo>& devices) {
  if (selector == "auto" || selector.empty()) return best(devices);
  if (!is_type(selector)) return std::nullopt;
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

std::optional<DeviceInfo> by_identity(const std::string& selector, const std::vector<DeviceInfo>& devices) {
  const auto found = std::find_if(devices.begin(), devices.end(),
                                  [&](const auto& d) { return d.uuid == selector || d.pci_address == selector; });
  return found == devices.end() ? std::nullopt : std::optional(*found);
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
    throw DeviceError(fmt::format(
        "no OpenCL device is called \"{}\"; there is:{}\n"
        "Name one by its number, P:D or name; a number of compute units may follow it behind a slash, as in 0/1.",
        selector, candidates(devices)));
  }
  if (found.size() > 1) {
    throw DeviceError(
        fmt::format("\"{}\" means several devices; name one by its number or P:D:{}", selector, candidates(found)));
  }
  return found.front();
}

DeviceInfo choose(const std::string& name, const std::vector<DeviceInfo>& devices) {
  if (devices.empty()) {
    throw DeviceError(
        "no OpenCL device on this machine: the loader found no driver with a device.\n"
        "Install one: pocl-opencl-icd runs on any CPU (Debian, Ubuntu: apt-get install pocl-opencl-icd); "
        "mesa-opencl-icd, "
        "intel-opencl-icd, rocm-opencl-icd or nvidia-opencl-icd serve GPUs. Then `vitcl devices` lists it.");
  }
  if (auto device = by_type(name, devices)) return *device;
  if (auto device = by_number(name, devices)) return *device;
  if (auto device = by_identity(name, devices)) return *device;
  return by_name(name, devices);
}

/// "pocl/1" and "cpu:1" in their two parts. What does not end in a number is a name, whatever it holds.
struct Selector {
  std::string name;
  std::optional<unsigned> units;

  explicit Selector(std::string_view text) : name(lower(trimmed(text))) {
    const auto colon = name.find(':');
    const auto cut = is_type(name.substr(0, colon)) ? colon : name.rfind('/');
    if (cut == std::string::npos) return;
    const auto count = number(std::string_view(name).substr(cut + 1));
    if (!count || cut == 0) return;
    if (*count == 0) throw UsageError(fmt::format("--device {}: a sub-device has at least one compute unit", name));
    units = static_cast<unsigned>(std::min<size_t>(*count, std::numeric_limits<unsigned>::max()));
    name.resize(cut);
  }
};

DeviceInfo part_of(const DeviceInfo& whole, unsigned first, unsigned units) {
  const unsigned of = whole.caps.compute_units;
  if (units > of - first) {
    throw DeviceError(fmt::format("no sub-device {}/{} of {}: it has {} compute units{}", whole.selector(), units,
                                  whole.name, of, first > 0 ? fmt::format(", {} of them taken before", first) : ""));
  }
  DeviceInfo info = whole;
  info.part = DevicePart{first, units, of};
  info.trusted.reset();
  info.tuned_choices = 0;
  info.training_speed = 0;
  info.caps = checked(whole.name, [&] { return probe_caps(open_part(find_device(whole), *info.part)); });
  apply_quirks(info);
  return info;
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> pieces;
  size_t start = 0;
  int depth = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '(') ++depth;
    if (list[i] == ')') depth = std::max(0, depth - 1);
    if (list[i] != ',' || depth > 0) continue;
    pieces.push_back(list.substr(start, i - start));
    start = i + 1;
  }
  pieces.push_back(list.substr(start));
  return pieces;
}

}  // namespace

std::string DeviceInfo::selector() const {
  return fmt::format("{}:{}{}", platform_index, device_index, part ? fmt::format("/{}", part->units) : "");
}

DeviceInfo select_device(std::string_view selector, const std::vector<DeviceInfo>& devices) {
  const Selector wanted(selector);
  const DeviceInfo device = choose(wanted.name, devices);
  return wanted.units ? part_of(device, 0, *wanted.units) : device;
}

DeviceInfo select_device(std::string_view selector) { return select_device(selector, list_devices()); }

std::vector<DeviceInfo> select_devices(std::string_view list, const std::vector<DeviceInfo>& devices) {
  std::vector<DeviceInfo> chosen;
  for (const std::string_view piece : split(list)) {
    const Selector wanted(piece);
    if (wanted.name.empty()) {
      throw UsageError(fmt::format("--device \"{}\": an empty place in the list of devices", list));
    }
    const DeviceInfo device = choose(wanted.name, devices);
    unsigned taken = 0;
    for (const DeviceInfo& other : chosen) {
      if (other.index != device.index) continue;
      if (!other.part || !wanted.units) {
        throw UsageError(fmt::format("--device {} names {} ({}) twice", list, device.name, device.selector()));
      }
      taken += other.part->units;
    }
    chosen.push_back(wanted.units ? part_of(device, taken, *wanted.units) : device);
  }
  return chosen;
}

std::vector<DeviceInfo> select_devices(std::string_view list) { return select_devices(list, list_devices()); }

}  // namespace vitcl
