#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vitcl/backend/device.hpp"

namespace vitcl {

/// What the self-test said of a device.
struct Verdict {
  std::string failure = {};  ///< the first thing that was wrong, in words; empty where all was right
  std::string date = {};     ///< "2025-01-31T23:59:59Z"; save() sets it where it is empty
  bool passed() const { return failure.empty(); }
  bool operator==(const Verdict&) const = default;
};

/// The file of verdicts: JSON lines, for all devices of a user. A verdict is valid for the device's name, driver and
/// compute units, this version of vitcl and the kernels' sources (those that VITCL_KERNEL_DIR names, too).
class VerdictStore {
 public:
  /// The file verdicts.jsonl in $VITCL_CACHE_DIR, else in $XDG_CACHE_HOME/vitcl, else in ~/.cache/vitcl.
  VerdictStore();
  explicit VerdictStore(std::filesystem::path file) : file_(std::move(file)) {}

  const std::filesystem::path& file() const { return file_; }

  /// The last valid verdict on the device. Never throws for what the file holds.
  std::optional<Verdict> load(const DeviceInfo& device) const { return load(std::span(&device, 1)).front(); }
  /// For each device; the file is read once.
  std::vector<std::optional<Verdict>> load(std::span<const DeviceInfo> devices) const;
  /// Adds a verdict in place of an older one on the same device, driver and version. Throws StorageError.
  void save(const DeviceInfo& device, const Verdict& verdict) const;

 private:
  std::filesystem::path file_;
};

}  // namespace vitcl
