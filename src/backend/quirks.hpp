#pragma once

#include <string>

#include "vitcl/backend/device.hpp"

namespace vitcl {

/// Sets the short names that people know a platform by ("pocl"), and the capabilities that its driver is known to get
/// wrong or not to tell. The only place that looks at names.
void apply_quirks(DeviceInfo& info);

/// Where `auto` puts a device among those of its type until it has been measured: lower comes first.
int preference_rank(const DeviceInfo& info);

}  // namespace vitcl
