#pragma once

#include <string>

#include "console.hpp"
#include "vitcl/backend/device.hpp"

namespace vitcl::cli {

/// "NAME (pocl, 16 units)", of a sub-device "NAME (pocl, 4 of 16 units)": what a user knows a device by.
std::string describe(const DeviceInfo& device);

/// With --profile: where the time went, kernel by kernel, on stdout.
void print_profile(Device& device);

}  // namespace vitcl::cli
