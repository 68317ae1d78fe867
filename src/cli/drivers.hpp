#pragma once

#include <memory>

#include "console.hpp"
#include "vitcl/backend/driver_check.hpp"

namespace vitcl::cli {

/// How long a driver may take to open its devices, unless the user says otherwise.
inline constexpr double driver_seconds = 20;

/// Tries every OpenCL driver in a process of its own and keeps out those that fail, with a note on each. For commands
/// that shall survive any driver; before their first look at a device.
std::unique_ptr<DriverGuard> guard_drivers(const Notes& note, double seconds = driver_seconds);

}  // namespace vitcl::cli
