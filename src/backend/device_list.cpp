#include <fmt/format.h>

#include <algorithm>

#include "backend/device_identity.hpp"
#include "backend/native.hpp"
#include "backend/native_devices.hpp"
#include "backend/quirks.hpp"
#include "vitcl/backend/tuning_store.hpp"
#include "vitcl/backend/verdict_store.hpp"

namespace vitcl {
namespace {

DeviceType type_of(cl_device_type bits) {
  if (bits & CL_DEVICE_TYPE_GPU) return DeviceType::gpu;
  if (bits & CL_DEVICE_TYPE_ACCELERATOR) return DeviceType::accelerator;
  if (bits & CL_DEVICE_TYPE_CPU) return DeviceType::cpu;
  return DeviceType::other;
}

// Drivers pad names with blanks and end them with a NUL.
std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
  return text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
}

constexpr cl_device_info max_sub_groups = 0x105C;  // of OpenCL 2.1

// OpenCL 2.1 has them without an extension, 3.0 where there may be one at all. Older drivers don't know the question.
bool has_sub_groups(const cl::Device& device, const std::string& extensions) {
  if (has_extension(extensions, "cl_khr_subgroups") || has_extension(extensions, "cl_intel_subgroups")) return true;
  if (device.getInfo<CL_DEVICE_VERSION>() < "OpenCL 2.1") return false;
  cl_uint most = 0;
  return clGetDeviceInfo(device(), max_sub_groups, sizeof most, &most, nullptr) == CL_SUCCESS && most > 0;
}

DeviceInfo describe(const cl::Platform& platform, const cl::Device& device) {
  DeviceInfo info;
  info.name = trimmed(device.getInfo<CL_DEVICE_NAME>());
  info.vendor = trimmed(device.getInfo<CL_DEVICE_VENDOR>());
  info.platform = trimmed(platform.getInfo<CL_PLATFORM_NAME>());
  info.platform_version = trimmed(platform.getInfo<CL_PLATFORM_VERSION>());
  info.device_version = trimmed(device.getInfo<CL_DEVICE_VERSION>());
  info.driver_version = trimmed(device.getInfo<CL_DRIVER_VERSION>());
  info.extensions = trimmed(device.getInfo<CL_DEVICE_EXTENSIONS>());
  const auto extensions = device.getInfo<CL_DEVICE_EXTENSIONS>();
  info.uuid = uuid_of(device, extensions);
  info.pci_address = pci_address_of(device, extensions);
  info.caps = probe_caps(device);
  apply_quirks(info);
  return info;
}

}  // namespace

DeviceCaps probe_caps(const cl::Device& device) {
  const auto extensions = device.getInfo<CL_DEVICE_EXTENSIONS>();
  DeviceCaps caps;
  caps.type = type_of(device.getInfo<CL_DEVICE_TYPE>());
  caps.compute_units = device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>();
  caps.native_float_width = std::max(1U, device.getInfo<CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT>());
  caps.max_work_group = device.getInfo<CL_DEVICE_MAX_WORK_GROUP_SIZE>();
  const auto work_items = device.getInfo<CL_DEVICE_MAX_WORK_ITEM_SIZES>();
  if (!work_items.empty()) caps.max_work_group = std::min<size_t>(caps.max_work_group, work_items[0]);
  caps.local_bytes = device.getInfo<CL_DEVICE_LOCAL_MEM_SIZE>();
  caps.memory_bytes = device.getInfo<CL_DEVICE_GLOBAL_MEM_SIZE>();
  caps.max_allocation = device.getInfo<CL_DEVICE_MAX_MEM_ALLOC_SIZE>();
  // The device states bits; never below a cache line, so that no two tensors share one.
  caps.buffer_alignment = std::max<size_t>(64, device.getInfo<CL_DEVICE_MEM_BASE_ADDR_ALIGN>() / 8);
  caps.fp16 = has_extension(extensions, "cl_khr_fp16");
  caps.fp64 = has_extension(extensions, "cl_khr_fp64");
  caps.subgroups = has_sub_groups(device, extensions);
  caps.unified_memory = device.getInfo<CL_DEVICE_HOST_UNIFIED_MEMORY>() != 0;
  return caps;
}

std::vector<FoundDevice> find_devices() {
  std::vector<cl::Platform> platforms;
  try {
    cl::Platform::get(&platforms);
  } catch (const cl::Error&) {
    return {};  // the loader reports "no platform" as an error
  }
  std::vector<FoundDevice> found;
  size_t platform_index = 0;
  for (const auto& platform : platforms) {
    std::vector<cl::Device> devices;
    try {
      platform.getDevices(CL_DEVICE_TYPE_ALL, &devices);
    } catch (const cl::Error&) {
      continue;  // a platform without a device, or a driver that does not start
    }
    if (devices.empty()) continue;
    for (size_t d = 0; d < devices.size(); ++d) {
      auto info = checked("device query", [&] { return describe(platform, devices[d]); });
      info.index = found.size();
      info.platform_index = platform_index;
      info.device_index = d;
      found.push_back({std::move(info), devices[d]});
    }
    ++platform_index;
  }
  return found;
}

FoundDevice find_device(const DeviceInfo& info) {
  const auto found = find_devices();
  const auto same = std::find_if(found.begin(), found.end(), [&](const auto& d) {
    return d.info.platform_index == info.platform_index && d.info.device_index == info.device_index &&
           d.info.name == info.name;
  });
  if (same == found.end()) throw DeviceError(fmt::format("the device {} ({}) is gone", info.name, info.platform));
  return *same;
}

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> infos;
  for (auto& device : find_devices()) infos.push_back(std::move(device.info));
  const auto verdicts = VerdictStore().load(infos);
  const auto tuning = TuningStore().load(infos);
  for (size_t i = 0; i < infos.size(); ++i) {
    if (verdicts[i]) infos[i].trusted = verdicts[i]->passed();
    infos[i].tuned_choices = tuning[i].records.size();
    if (tuning[i].training) infos[i].training_speed = tuning[i].training->gflops;
  }
  return infos;
}

std::string_view to_string(DeviceType type) {
  switch (type) {
    case DeviceType::cpu:
      return "cpu";
    case DeviceType::gpu:
      return "gpu";
    case DeviceType::accelerator:
      return "accelerator";
    case DeviceType::other:
      return "other";
  }
  return "other";
}

}  // namespace vitcl
