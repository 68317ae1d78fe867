#include "backend/record_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>

#include "backend/kernel_source.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

/// Held by one process, and one thread of it, at a time.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : descriptor_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (descriptor_ >= 0 && flock(descriptor_, LOCK_EX) == 0) return;
    if (descriptor_ >= 0) close(descriptor_);
    throw StorageError(
        fmt::format("can't lock {}; set VITCL_CACHE_DIR to a folder that can be written", path.string()));
  }
  ~FileLock() { close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

void replace_file(const fs::path& file, const std::string& text) {
  const fs::path temporary = file.string() + fmt::format(".{}.tmp", getpid());
  std::ofstream stream(temporary, std::ios::binary);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) fs::rename(temporary, file, error);
  if (stream && !error) return;
  std::error_code ignored;
  fs::remove(temporary, ignored);
  throw StorageError(
      fmt::format("can't write {}; free some space or set VITCL_CACHE_DIR to another folder", file.string()));
}

}  // namespace

RecordOrigin::RecordOrigin(const DeviceInfo& info)
    : device(info.name),
      driver(info.driver_version),
      version(VITCL_VERSION),
      kernels(fmt::format("{:016x}", kernel_sources_hash())),
      compute_units(info.caps.compute_units) {}

ordered_json RecordOrigin::to_json() const {
  return {{"device", device},
          {"driver", driver},
          {"compute_units", compute_units},
          {"vitcl", version},
          {"kernels", kernels}};
}

bool RecordOrigin::replaces(const ordered_json& line) const {
  return kind_of(line) != LineKind::other_device && line.at("vitcl") == version;
}

LineKind RecordOrigin::kind_of(const ordered_json& line) const {
  const std::string line_version = line.at("vitcl"), line_kernels = line.at("kernels");
  if (line.at("device") != device || line.at("driver") != driver || line.at("compute_units") != compute_units) {
    return LineKind::other_device;
  }
  return line_version == version && line_kernels == kernels ? LineKind::valid : LineKind::other_version;
}

std::string record_line(const ordered_json& record) {
  return record.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

void rewrite_record_file(const fs::path& file, std::string_view what,
                         const std::function<std::string(std::istream& old)>& rewrite) {
  if (file.empty()) throw StorageError(fmt::format("there is no folder for {}; set VITCL_CACHE_DIR", what));
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const FileLock lock(file.string() + ".lock");
  std::ifstream old(file, std::ios::binary);
  replace_file(file, rewrite(old));
}

}  // namespace vitcl
