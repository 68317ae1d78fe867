#pragma once

#include <vector>

#include "backend/native.hpp"

namespace vitcl {

/// A device as listed, with its OpenCL handle.
struct FoundDevice {
  DeviceInfo info;
  cl::Device device;
};

/// What list_devices() shows, with handles.
std::vector<FoundDevice> find_devices();

/// The listed device that `info` describes, or that it is a part of. Throws DeviceError where it is gone.
FoundDevice find_device(const DeviceInfo& info);

/// The capabilities of a device or sub-device.
DeviceCaps probe_caps(const cl::Device& device);

/// The OpenCL sub-device of a part, the same one each time. Throws DeviceError with the driver's reason where it
/// refuses.
cl::Device open_part(const FoundDevice& whole, const DevicePart& part);

}  // namespace vitcl
