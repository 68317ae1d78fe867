#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "backend/native_devices.hpp"

namespace vitcl {
namespace {

// By counts, as that reaches units behind others: the ones before the part are cut off as a part of their own.
cl::Device cut_off(const FoundDevice& whole, const DevicePart& part) {
  const auto refuse = [&](const std::string& reason) {
    return DeviceError(fmt::format("{} makes no sub-device of {} of its {} compute units: {}", whole.info.name,
                                   part.units, part.of, reason));
  };
  const auto kinds = whole.device.getInfo<CL_DEVICE_PARTITION_PROPERTIES>();
  if (std::find(kinds.begin(), kinds.end(), CL_DEVICE_PARTITION_BY_COUNTS) == kinds.end()) {
    throw refuse("its driver does not cut devices; use the whole device");
  }
  std::vector<cl_device_partition_property> cut = {CL_DEVICE_PARTITION_BY_COUNTS};
  if (part.first > 0) cut.push_back(part.first);
  cut.insert(cut.end(),
             {static_cast<cl_device_partition_property>(part.units), CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0});
  std::vector<cl::Device> parts;
  try {
    cl::Device(whole.device).createSubDevices(cut.data(), &parts);
  } catch (const cl::Error& error) {
    throw refuse(fmt::format("{} failed with {} ({})", error.what(), cl_error_name(error.err()), error.err()));
  }
  return parts.back();
}

}  // namespace

// Never given back: once the last command is done, PoCL's threads still let go of it, and where all else has been
// released by then, they read the sub-device after it is gone.
cl::Device open_part(const FoundDevice& whole, const DevicePart& part) {
  static std::mutex one_at_a_time;
  static auto& opened = *new std::map<std::tuple<cl_device_id, unsigned, unsigned>, cl::Device>();
  const std::lock_guard guard(one_at_a_time);
  const std::tuple key(whole.device(), part.first, part.units);
  const auto found = opened.find(key);
  return found != opened.end() ? found->second : opened.emplace(key, cut_off(whole, part)).first->second;
}

}  // namespace vitcl
