#pragma once

#include <optional>

namespace vitcl::train {

/// Joules that this machine's processors have used since some moment, by Linux's powercap counters
/// (https://docs.kernel.org/power/powercap/powercap.html); none where the system does not tell. The counters wrap after
/// minutes at the earliest.
std::optional<double> energy_counter();

}  // namespace vitcl::train
