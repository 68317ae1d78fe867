#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vitcl/backend/choices.hpp"
#include "vitcl/backend/device.hpp"

namespace vitcl {

/// What the tuner found for an op and a shape on a device.
struct TuningRecord {
  OpShape key;
  std::string implementation;
  double microseconds = 0;  ///< one call, forward and backward where the op has both
  double gflops = 0;        ///< GFLOP/s
  std::string date = {};    ///< "2025-01-31T23:59:59Z"; save() sets it where it is empty
  bool operator==(const TuningRecord&) const = default;
};

/// The op of the one record that says how fast a device trains as a whole. Its implementation has no name.
inline constexpr std::string_view training_op = "training";

/// The tuner's file: JSON lines, one a record, for all devices of a user. A record is valid for the device's name,
/// driver and compute units, this version of vitcl and the kernels' sources (those that VITCL_KERNEL_DIR names, too).
class TuningStore {
 public:
  /// The file tuning.jsonl in $VITCL_CACHE_DIR, else in $XDG_CACHE_HOME/vitcl, else in ~/.cache/vitcl.
  TuningStore();
  explicit TuningStore(std::filesystem::path file) : file_(std::move(file)) {}

  const std::filesystem::path& file() const { return file_; }

  struct Loaded {
    std::vector<TuningRecord> records;          ///< valid for the device, at most one for each op and shape
    std::optional<TuningRecord> training = {};  ///< how fast it trains, where that was measured
    std::string ignored;  ///< in words what else the file holds: "2 corrupt lines, 20 records of other devices"; or ""
    ImplementationNames names() const;
  };
  /// Never throws for what the file holds: a missing file is empty, whatever is not a valid record is ignored.
  Loaded load(const DeviceInfo& device) const { return load(std::span(&device, 1)).front(); }
  /// For each device; the file is read once.
  std::vector<Loaded> load(std::span<const DeviceInfo> devices) const;

  /// Adds records, in place of older ones of the same device, version, op and shape. Others' stay, corrupt lines go.
  /// The file is replaced as a whole, under a lock, so that processes may save at once. Throws StorageError.
  void save(const DeviceInfo& device, const std::vector<TuningRecord>& records) const;

 private:
  std::filesystem::path file_;
};

}  // namespace vitcl
