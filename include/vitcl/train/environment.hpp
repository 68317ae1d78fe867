#pragma once

#include <string>

#include "vitcl/backend/device.hpp"

namespace vitcl::train {

/// vitcl's version: "0.1.0".
const char* version();

/// The program's version and compiler, the time, the system, the device, and the environment variables that bear on
/// what it computes, as indented JSON.
std::string environment_json(const DeviceInfo& device);

}  // namespace vitcl::train
