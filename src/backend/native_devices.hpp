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

}  // namespace vitcl
