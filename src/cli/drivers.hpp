#pragma once

#include <memory>

#include "console.hpp"
#include "vitcl/backend/driver_check.hpp"

namespace vitcl::cli {

/// Tries every OpenCL driver in a process of its own and keeps out those that fail, with a note on each. For commands
/// that shall survive any driver; before their first look at a device.
std::unique_ptr<DriverGuard> guard_drivers(double seconds, const Notes& note);

/// How long a driver may take, unless the user says otherwise; in the form of a --time-limit.
inline constexpr const char* driver_time_limit = "20s";

}  // namespace vitcl::cli
