#pragma once

#include <filesystem>
#include <functional>
#include <istream>
#include <nlohmann/json.hpp>
#include <string>

#include "vitcl/backend/device.hpp"

namespace vitcl {

// Files of JSON lines in the cache folder, one a record, for all devices of a user. Each line begins with the origin of
// what it says.

/// Whether a line is a record, and of what.
enum class LineKind { corrupt, other_device, other_version, valid };

/// A device's name, driver and compute units, this version of vitcl, and the kernels' sources.
struct RecordOrigin {
  std::string device, driver, version, kernels;
  unsigned compute_units;

  explicit RecordOrigin(const DeviceInfo& info);

  /// The beginning of a line.
  nlohmann::ordered_json to_json() const;
  /// Of this device and version, whatever its kernels: a new record may take its place. Throws as `at` does.
  bool replaces(const nlohmann::ordered_json& line) const;
  LineKind kind_of(const nlohmann::ordered_json& line) const;
};

/// A record as a line of text; bytes that are no UTF-8 are replaced.
std::string record_line(const nlohmann::ordered_json& record);

/// Replaces the file as a whole, under a lock, so that processes may do so at once. `rewrite` makes the new text from
/// the old one. `what` names the file's contents. Throws StorageError.
void rewrite_record_file(const std::filesystem::path& file, std::string_view what,
                         const std::function<std::string(std::istream& old)>& rewrite);

}  // namespace vitcl
