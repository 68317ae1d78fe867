#pragma once

#include "console.hpp"
#include "vitcl/selftest/selftest.hpp"

namespace vitcl::cli {

/// Tests a device in a process of its own (this program starts itself), for at most so many seconds, and keeps the
/// verdict. A note tells where it can't be kept.
selftest::Report examine(const DeviceInfo& device, double seconds, const Notes& note);

/// Throws DeviceError where the self-test found a device wrong. It is run where no verdict is kept for the device, its
/// driver and these kernels. With `trust` neither is asked.
void require_trusted(const DeviceInfo& device, bool trust, const Notes& note);

}  // namespace vitcl::cli
