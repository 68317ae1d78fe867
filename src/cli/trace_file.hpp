#pragma once

#include <filesystem>

#include "vitcl/backend/device.hpp"

namespace vitcl::cli {

/// The launches that a trace holds: some dozens of steps, which viewers open at once.
inline constexpr size_t trace_launches = 20000;

/// Throws DeviceError where the device has no clock to trace by, as is known of its driver or was seen as it was
/// opened.
void require_clock(const DeviceInfo& device);
/// Throws StorageError where `path` can't be written; leaves nothing there.
void require_writable(const std::filesystem::path& path);
/// Writes the launches that Queue::trace() kept as a Chrome trace: JSON for chrome://tracing or Perfetto.
void write_trace(const std::filesystem::path& path, Device& device);

}  // namespace vitcl::cli
