#pragma once

#include <atomic>

namespace vitcl::cli {

/// Turns the first SIGINT or SIGTERM into a flag; the second ends the process as usual.
const std::atomic<bool>& catch_stop_signals();

}  // namespace vitcl::cli
