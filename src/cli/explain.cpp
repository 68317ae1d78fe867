#include "explain.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "console.hpp"
#include "device_report.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;
using train::StepChoice;

const TuningRecord* record_of(const Explanation& explanation, const StepChoice& choice) {
  if (choice.choice.by != ChosenBy::tuning) return nullptr;
  const auto found = std::ranges::find(explanation.records, choice.key, &TuningRecord::key);
  return found == explanation.records.end() ? nullptr : &*found;
}

/// A line of the table: a tuned choice, or all the shapes of an op that are decided alike.
struct Row {
  std::string op, shape, implementation;
  std::string_view by;
  size_t shapes = 0;
  double share = 0;
  const TuningRecord* record = nullptr;
};

std::vector<Row> rows_of(const Explanation& explanation) {
  std::map<std::tuple<std::string, std::string, std::string_view, const TuningRecord*>, Row> rows;
  for (const StepChoice& choice : explanation.choices) {
    const TuningRecord* record = record_of(explanation, choice);
    const std::string_view by = to_string(choice.choice.by);
    Row& row = rows[{choice.key.op, choice.choice.implementation, by, record}];
    row.op = choice.key.op;
    row.implementation = choice.choice.implementation;
    row.by = by;
    row.record = record;
    row.share += choice.share;
    row.shape = ++row.shapes == 1 ? choice.key.shape : fmt::format("{} shapes", row.shapes);
  }
  std::vector<Row> sorted;
  for (auto& [key, row] : rows) sorted.push_back(std::move(row));
  std::ranges::stable_sort(sorted, std::greater(), &Row::share);
  return sorted;
}

/// The implementations that refuse, by op and reason.
std::map<std::pair<std::string, std::string>, std::set<std::string>> refusals(const Explanation& explanation) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> names;
  for (const StepChoice& choice : explanation.choices) {
    for (const Candidate& candidate : choice.choice.candidates) {
      if (candidate.refusal) names[{choice.key.op, *candidate.refusal}].insert(candidate.name);
    }
  }
  return names;
}

}  // namespace

Explanation explain(const DeviceInfo& device, const train::TrainConfig& config) {
  TuningStore::Loaded loaded = TuningStore().load(device);
  Explanation explanation{.device = device,
                          .model = config.model_name,
                          .batch = config.batch_size,
                          .choices = {},
                          .records = std::move(loaded.records),
                          .ignored = std::move(loaded.ignored),
                          .failure = {}};
  try {
    ImplementationNames tuned;
    for (const TuningRecord& record : explanation.records) tuned[record.key] = record.implementation;
    explanation.choices = train::step_choices(device, config, tuned);
  } catch (const Error& error) {
    explanation.failure = error.what();
  }
  return explanation;
}

void print_explanation(const Explanation& explanation) {
  print("\n{}: a training step of {} with batch size {}\n", describe(explanation.device), explanation.model,
        explanation.batch);
  if (!explanation.failure.empty()) print("{}\n", explanation.failure);
  if (explanation.choices.empty()) return;
  print("{:<13} {:<20} {:>7}  {:<12} {:<8} {:>12} {:>8}\n", "OP", "SHAPE", "SHARE", "TAKES", "BY", "TIME", "GFLOP/S");
  for (const Row& row : rows_of(explanation)) {
    const bool timed = row.record != nullptr;
    print("{:<13} {:<20} {:>5.1f} %  {:<12} {:<8} {:>12} {:>8}\n", row.op, row.shape, 100 * row.share,
          row.implementation, row.by, timed ? fmt::format("{:.1f} us", row.record->microseconds) : "",
          timed ? fmt::format("{:.1f}", row.record->gflops) : "");
  }
  for (const auto& [key, names] : refusals(explanation)) {
    cli::print("refused: {} {}: {}\n", key.first, fmt::join(names, ", "), key.second);
  }
  if (!explanation.ignored.empty()) print("ignored: {} in the tuner's file\n", explanation.ignored);
}

std::string to_json(const Explanation& explanation) {
  ordered_json choices = ordered_json::array();
  for (const StepChoice& choice : explanation.choices) {
    ordered_json candidates = ordered_json::array();
    for (const Candidate& candidate : choice.choice.candidates) {
      candidates.push_back({{"name", candidate.name}, {"refusal", nullptr}});
      if (candidate.refusal) candidates.back()["refusal"] = *candidate.refusal;
    }
    ordered_json entry = {{"op", choice.key.op},
                          {"shape", choice.key.shape},
                          {"share", choice.share},
                          {"implementation", choice.choice.implementation},
                          {"by", to_string(choice.choice.by)}};
    if (const TuningRecord* record = record_of(explanation, choice)) {
      entry["microseconds"] = record->microseconds;
      entry["gflops"] = record->gflops;
      entry["date"] = record->date;
    }
    entry["candidates"] = candidates;
    choices.push_back(entry);
  }
  const ordered_json document = {{"model", explanation.model},
                                 {"batch_size", explanation.batch},
                                 {"choices", choices},
                                 {"ignored", explanation.ignored},
                                 {"failure", explanation.failure}};
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace vitcl::cli
