#include "vitcl/train/tuner.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "child_answer.hpp"
#include "ops/trial.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::train {
namespace {

constexpr size_t rounds = 3;
constexpr double worth_another_round = 1.5;  // of the best time
constexpr double shipped_bonus = 1.03;       // of the best time
constexpr double unknown = std::numeric_limits<double>::infinity();

/// A candidate and the best that it has shown.
struct Contender {
  std::string name;
  bool is_shipped;
  Measurement best{.microseconds = unknown};
};

/// What runs untuned.
std::string shipped_implementation(const StepChoice& choice) {
  const auto serves = [](const Candidate& candidate) { return !candidate.refusal; };
  return std::ranges::find_if(choice.choice.candidates, serves)->name;
}

class Search {
 public:
  Search(const DeviceInfo& device, const TuningStore& store, const TunerOptions& options, TuningObserver& observer)
      : device_(device), store_(store), options_(options), observer_(observer) {}

  TuningReport run(const std::vector<StepChoice>& choices) {
    for (const StepChoice& choice : choices) {
      if (!has_alternatives(choice)) continue;
      std::vector<Contender> contenders = contenders_of(choice);
      if (seconds_left() > 0) observer_.on_start(choice);
      if (!hold_rounds(choice.key, contenders)) {
        ++report_.not_reached;
      } else if (!contenders.empty()) {
        settle(choice, contenders);
      }
    }
    return std::move(report_);
  }

 private:
  double seconds_left() const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    return options_.budget_seconds - passed.count();
  }

  static bool has_alternatives(const StepChoice& choice) {
    const auto serving = std::ranges::count_if(choice.choice.candidates, [](const auto& c) { return !c.refusal; });
    return serving > 1 && !ops::plain_implementation(choice.key.op).empty();
  }

  std::vector<Contender> contenders_of(const StepChoice& choice) const {
    std::vector<Contender> contenders;
    const std::string shipped = shipped_implementation(choice);
    for (const Candidate& candidate : choice.choice.candidates) {
      const bool failed = failed_.contains({choice.key.op, candidate.name});
      if (!candidate.refusal && !failed) contenders.push_back({candidate.name, candidate.name == shipped});
    }
    return contenders;
  }

  /// Measures until every round is held or the budget is used up; those that fail leave. False where the first round
  /// did not come to its end, so that nothing can be said.
  bool hold_rounds(const OpShape& key, std::vector<Contender>& contenders) {
    for (size_t round = 0; round < rounds; ++round) {
      const bool in_time = hold_round(key, contenders);
      std::erase_if(contenders, [](const Contender& contender) { return contender.best.microseconds == unknown; });
      if (!in_time) return round > 0;
      std::ranges::reverse(contenders);  // another order each round
    }
    return true;
  }

  /// False where the budget ended it.
  bool hold_round(const OpShape& key, std::vector<Contender>& contenders) {
    double best = unknown;
    for (const Contender& contender : contenders) best = std::min(best, contender.best.microseconds);
    for (Contender& contender : contenders) {
      if (!contender.is_shipped && contender.best.microseconds > worth_another_round * best) continue;
      if (seconds_left() <= 0 || !measure(key, contender)) return false;
    }
    return true;
  }

  /// False where the budget ended it.
  bool measure(const OpShape& key, Contender& contender) {
    std::vector<std::string> command = options_.command;
    command.insert(command.end(), {key.op, key.shape, contender.name});
    const double limit = std::min(options_.candidate_seconds, seconds_left());
    const ChildResult child = run_child(command, limit);
    if (child.timed_out && limit < options_.candidate_seconds) return false;
    const Measurement result = read_answer(child, options_.candidate_seconds);
    if (!result.failure.empty()) {
      contender.best.microseconds = unknown;
      leave_out({key, contender.name, result.failure});
    } else if (result.microseconds < contender.best.microseconds) {
      contender.best = result;
    }
    return true;
  }

  void leave_out(LeftOut failure) {
    failed_.insert({failure.key.op, failure.implementation});
    observer_.on_left_out(failure);
    report_.left_out.push_back(std::move(failure));
  }

  void settle(const StepChoice& choice, const std::vector<Contender>& contenders) {
    TunedChoice tuned{.record = {}, .share = choice.share, .shipped = shipped_implementation(choice)};
    const Contender* winner = &*std::ranges::min_element(
        contenders, {}, [](const Contender& contender) { return contender.best.microseconds; });
    for (const Contender& contender : contenders) {
      if (!contender.is_shipped) continue;
      tuned.shipped_microseconds = contender.best.microseconds;
      if (contender.best.microseconds <= shipped_bonus * winner->best.microseconds) winner = &contender;
    }
    tuned.record = {.key = choice.key,
                    .implementation = winner->name,
                    .microseconds = winner->best.microseconds,
                    .gflops = winner->best.gflops};
    store_.save(device_, {tuned.record});
    observer_.on_tuned(tuned);
    report_.tuned.push_back(std::move(tuned));
  }

  const DeviceInfo& device_;
  const TuningStore& store_;
  const TunerOptions& options_;
  TuningObserver& observer_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::set<std::pair<std::string, std::string>> failed_;  // op and implementation
  TuningReport report_;
};

}  // namespace

Measurement read_answer(const ChildResult& child, double seconds) {
  if (std::string failure = failure_of(child, seconds); !failure.empty()) return {.failure = std::move(failure)};
  const auto json = nlohmann::json::parse(last_line(child), nullptr, false);
  if (!json.is_object() || (!json.contains("failure") && !json.value("microseconds", nlohmann::json()).is_number())) {
    return {.failure = fmt::format("its process ended with code {} and no answer", WEXITSTATUS(child.status))};
  }
  if (json.contains("failure")) return {.failure = json["failure"].get<std::string>()};
  return {.microseconds = json["microseconds"], .gflops = json["gflops"]};
}

TuningReport tune(const DeviceInfo& device, const std::vector<StepChoice>& choices, const TuningStore& store,
                  const TunerOptions& options, TuningObserver& observer) {
  if (const char* forced = std::getenv("VITCL_IMPL"); forced != nullptr && *forced != '\0') {
    throw UsageError(
        fmt::format("VITCL_IMPL={} forces implementations, so that none can be compared; unset it", forced));
  }
  store.save(device, {});  // fails before time is spent
  return Search(device, store, options, observer).run(choices);
}

}  // namespace vitcl::train
