#include "vitcl/backend/tuning_store.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/cache_folder.hpp"
#include "backend/record_file.hpp"
#include "backend/utc_time.hpp"

namespace vitcl {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Line {
  LineKind kind = LineKind::corrupt;
  bool replaceable = false;  ///< of this device and version, whatever its kernels
  TuningRecord record = {};
};

Line parse(const std::string& text, const RecordOrigin& origin) {
  Line line;
  try {
    const ordered_json json = ordered_json::parse(text);
    line.record = {.key = {json.at("op"), json.at("shape")},
                   .implementation = json.at("implementation"),
                   .microseconds = json.at("microseconds"),
                   .gflops = json.at("gflops"),
                   .date = json.at("date")};
    line.replaceable = origin.replaces(json);
    line.kind = origin.kind_of(json);
  } catch (const ordered_json::exception&) {
    line.kind = LineKind::corrupt;
  }
  return line;
}

std::string to_line(const TuningRecord& record, const RecordOrigin& origin) {
  ordered_json json = origin.to_json();
  json.update({{"op", record.key.op},
               {"shape", record.key.shape},
               {"implementation", record.implementation},
               {"microseconds", record.microseconds},
               {"gflops", record.gflops},
               {"date", record.date.empty() ? utc_time() : record.date}});
  return record_line(json);
}

std::string counted(size_t count, std::string_view one, std::string_view several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

/// What the lines hold for the device.
TuningStore::Loaded loaded_from(const std::vector<std::string>& lines, const DeviceInfo& device) {
  const RecordOrigin origin(device);
  std::map<OpShape, TuningRecord> records;
  std::map<LineKind, size_t> counts;
  for (const std::string& text : lines) {
    Line line = parse(text, origin);
    ++counts[line.kind];
    if (line.kind == LineKind::valid) records[line.record.key] = std::move(line.record);
  }
  TuningStore::Loaded loaded;
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

}  // namespace

TuningStore::TuningStore() {
  if (const fs::path folder = cache_folder(); !folder.empty()) file_ = folder / "tuning.jsonl";
}

ImplementationNames TuningStore::Loaded::names() const {
  ImplementationNames names;
  for (const TuningRecord& record : records) names[record.key] = record.implementation;
  return names;
}

std::vector<TuningStore::Loaded> TuningStore::load(std::span<const DeviceInfo> devices) const {
  std::vector<Loaded> all(devices.size());
  std::error_code error;
  if (file_.empty() || !fs::exists(file_, error)) return all;
  std::ifstream stream(file_, std::ios::binary);
  if (!stream || !fs::is_regular_file(file_, error)) {
    for (Loaded& loaded : all) loaded.ignored = "everything: it can't be read";
    return all;
  }
  std::vector<std::string> lines;
  for (std::string text; std::getline(stream, text);) lines.push_back(std::move(text));
  std::ranges::transform(devices, all.begin(), [&](const DeviceInfo& device) { return loaded_from(lines, device); });
  return all;
}

void TuningStore::save(const DeviceInfo& device, const std::vector<TuningRecord>& records) const {
  const RecordOrigin origin(device);
  const auto is_replaced = [&](const TuningRecord& old) {
    return std::any_of(records.begin(), records.end(), [&](const TuningRecord& r) { return r.key == old.key; });
  };
  rewrite_record_file(file_, "the tuner's results", [&](std::istream& stream) {
    std::string text;
    for (std::string old; std::getline(stream, old);) {
      const Line line = parse(old, origin);
      if (line.kind == LineKind::corrupt || (line.replaceable && is_replaced(line.record))) continue;
      text += old + "\n";
    }
    for (const TuningRecord& record : records) text += to_line(record, origin);
    return text;
  });
}

}  // namespace vitcl
