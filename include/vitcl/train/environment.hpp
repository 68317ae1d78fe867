#pragma once

#include <map>
#include <string>
#include <vector>

#include "vitcl/backend/device.hpp"

namespace vitcl::train {

/// vitcl's version: "0.1.0".
const char* version();

/// The program's version and compiler, the time, the system, and these environment variables and devices, as indented
/// JSON.
std::string environment_json(const std::map<std::string, std::string>& variables,
                             const std::vector<DeviceInfo>& devices);

}  // namespace vitcl::train
