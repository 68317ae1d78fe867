#include "vitcl/backend/tuning_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "backend/cache_folder.hpp"
#include "backend/kernel_source.hpp"
#include "backend/utc_time.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

/// Whether a line is a record, and of what.
enum class LineKind { corrupt, other_device, other_version, valid };

/// What a record must agree with.
struct Origin {
  std::string device, driver, version, kernels;
  unsigned compute_units;

  explicit Origin(const DeviceInfo& info)
      : device(info.name),
        driver(info.driver_version),
        version(VITCL_VERSION),
        kernels(fmt::format("{:016x}", kernel_sources_hash())),
        compute_units(info.caps.compute_units) {}

  bool is_device(const ordered_json& line) const {
    return line.at("device") == device && line.at("driver") == driver && line.at("compute_units") == compute_units;
  }
};

struct Line {
  LineKind kind = LineKind::corrupt;
  bool replaceable = false;  ///< of this device and version, whatever its kernels
  TuningRecord record = {};
};

Line parse(const std::string& text, const Origin& origin) {
  Line line;
  try {
    const ordered_json json = ordered_json::parse(text);
    line.record = {.key = {json.at("op"), json.at("shape")},
                   .implementation = json.at("implementation"),
                   .microseconds = json.at("microseconds"),
                   .gflops = json.at("gflops"),
                   .date = json.at("date")};
    const std::string version = json.at("vitcl"), kernels = json.at("kernels");
    const bool own = origin.is_device(json);
    line.replaceable = own && version == origin.version;
    if (!own) {
      line.kind = LineKind::other_device;
    } else {
      line.kind = line.replaceable && kernels == origin.kernels ? LineKind::valid : LineKind::other_version;
    }
  } catch (const ordered_json::exception&) {
    line.kind = LineKind::corrupt;
  }
  return line;
}

std::string to_line(const TuningRecord& record, const Origin& origin) {
  const ordered_json json = {{"device", origin.device},
                             {"driver", origin.driver},
                             {"compute_units", origin.compute_units},
                             {"vitcl", origin.version},
                             {"kernels", origin.kernels},
                             {"op", record.key.op},
                             {"shape", record.key.shape},
                             {"implementation", record.implementation},
                             {"microseconds", record.microseconds},
                             {"gflops", record.gflops},
                             {"date", record.date.empty() ? utc_time() : record.date}};
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

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

std::string counted(size_t count, std::string_view one, std::string_view several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

}  // namespace

TuningStore::TuningStore() {
  if (const fs::path folder = cache_folder(); !folder.empty()) file_ = folder / "tuning.jsonl";
}

ImplementationNames TuningStore::Loaded::names() const {
  ImplementationNames names;
  for (const TuningRecord& record : records) names[record.key] = record.implementation;
  return names;
}

TuningStore::Loaded TuningStore::load(const DeviceInfo& device) const {
  std::error_code error;
  if (file_.empty() || !fs::exists(file_, error)) return {};
  std::ifstream stream(file_, std::ios::binary);
  if (!stream || !fs::is_regular_file(file_, error))
    return {.records = {}, .training = {}, .ignored = "everything: it can't be read"};
  const Origin origin(device);
  std::map<OpShape, TuningRecord> records;
  std::map<LineKind, size_t> counts;
  for (std::string text; std::getline(stream, text);) {
    Line line = parse(text, origin);
    ++counts[line.kind];
    if (line.kind == LineKind::valid) records[line.record.key] = std::move(line.record);
  }
  Loaded loaded;
  for (auto& [key, record] : records) {
    if (key.op == training_op) {
      loaded.training = std::move(record);
    } else {
      loaded.records.push_back(std::move(record));
    }
  }
  std::vector<std::string> parts;
  if (const size_t n = counts[LineKind::corrupt]) parts.push_back(counted(n, "corrupt line", "corrupt lines"));
  if (const size_t n = counts[LineKind::other_version]) {
    parts.push_back(counted(n, "record", "records") + " of another version of vitcl or its kernels");
  }
  if (const size_t n = counts[LineKind::other_device]) {
    parts.push_back(counted(n, "record", "records") + " of other devices or drivers");
  }
  loaded.ignored = fmt::format("{}", fmt::join(parts, ", "));
  return loaded;
}

void TuningStore::save(const DeviceInfo& device, const std::vector<TuningRecord>& records) const {
  if (file_.empty()) throw StorageError("there is no folder for the tuner's results; set VITCL_CACHE_DIR");
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  const FileLock lock(file_.string() + ".lock");
  const Origin origin(device);
  std::string text;
  const auto is_replaced = [&](const TuningRecord& old) {
    return std::any_of(records.begin(), records.end(), [&](const TuningRecord& r) { return r.key == old.key; });
  };
  std::ifstream stream(file_, std::ios::binary);
  for (std::string old; std::getline(stream, old);) {
    const Line line = parse(old, origin);
    if (line.kind == LineKind::corrupt || (line.replaceable && is_replaced(line.record))) continue;
    text += old + "\n";
  }
  for (const TuningRecord& record : records) text += to_line(record, origin);
  replace_file(file_, text);
}

}  // namespace vitcl
