#pragma once

#include "vitcl/backend/device.hpp"

namespace vitcl {

/// Whether the times of the device's events agree with the host's clock: a kernel of some hundredths of a second is
/// timed by both. There are drivers whose event times are zero or in other units. Takes at least as long as the kernel.
bool event_clock_is_sound(Device& device);

/// Whether an event of so many seconds may be of a command for which the host waited so long.
bool times_agree(double event_seconds, double host_seconds);

}  // namespace vitcl
