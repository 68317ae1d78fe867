#include "vitcl/backend/verdict_store.hpp"

#include <fstream>

#include "backend/cache_folder.hpp"
#include "backend/record_file.hpp"
#include "backend/utc_time.hpp"

namespace vitcl {
namespace {

using nlohmann::ordered_json;

struct Line {
  LineKind kind = LineKind::corrupt;
  bool replaceable = false;
  Verdict verdict = {};
};

Line parse(const std::string& text, const RecordOrigin& origin) {
  Line line;
  try {
    const ordered_json json = ordered_json::parse(text);
    line.verdict = {.failure = json.at("failure"), .date = json.at("date")};
    line.replaceable = origin.replaces(json);
    line.kind = origin.kind_of(json);
  } catch (const ordered_json::exception&) {
    line.kind = LineKind::corrupt;
  }
  return line;
}

}  // namespace

VerdictStore::VerdictStore() {
  if (const std::filesystem::path folder = cache_folder(); !folder.empty()) file_ = folder / "verdicts.jsonl";
}

std::vector<std::optional<Verdict>> VerdictStore::load(std::span<const DeviceInfo> devices) const {
  std::vector<std::optional<Verdict>> verdicts(devices.size());
  std::error_code error;
  if (!std::filesystem::is_regular_file(file_, error)) return verdicts;
  const std::vector<RecordOrigin> origins(devices.begin(), devices.end());
  std::ifstream stream(file_, std::ios::binary);
  for (std::string text; std::getline(stream, text);) {
    for (size_t d = 0; d < devices.size(); ++d) {
      Line line = parse(text, origins[d]);
      if (line.kind == LineKind::valid) verdicts[d] = std::move(line.verdict);
    }
  }
  return verdicts;
}

void VerdictStore::save(const DeviceInfo& device, const Verdict& verdict) const {
  const RecordOrigin origin(device);
  rewrite_record_file(file_, "verdicts on devices", [&](std::istream& stream) {
    std::string text;
    for (std::string old; std::getline(stream, old);) {
      const Line line = parse(old, origin);
      if (line.kind != LineKind::corrupt && !line.replaceable) text += old + "\n";
    }
    ordered_json json = origin.to_json();
    json.update({{"failure", verdict.failure}, {"date", verdict.date.empty() ? utc_time() : verdict.date}});
    return text + record_line(json);
  });
}

}  // namespace vitcl
