#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vitcl/backend/choices.hpp"
#include "vitcl/backend/device.hpp"
#include "vitcl/backend/tuning_store.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// An op and shape of a training step, and what it chooses.
struct StepChoice {
  OpShape key;
  Choice choice;
  double share = 0;  ///< of the step's floating-point operations
};

/// What one training step of `config` chooses on a device, the largest share first. Compiles and runs nothing.
/// Throws UsageError for a configuration that is not possible and DeviceError where the batch does not fit in memory.
std::vector<StepChoice> step_choices(const DeviceInfo& device, const TrainConfig& config,
                                     const ImplementationNames& asked = {});

/// What became of a candidate: times, or the reason why there are none.
struct Measurement {
  double microseconds = 0;  ///< one call, forward and backward where the op has both
  double gflops = 0;        ///< GFLOP/s
  std::string failure = {};
};

/// Holds an implementation of an op to the plain one, then times it: the minimum of several runs. It may crash or hang,
/// hence the tuner has a process of its own do this.
Measurement measure_candidate(const DeviceInfo& device, const OpShape& key, const std::string& implementation);
/// A measurement as one line of JSON, by which that process answers.
std::string to_json(const Measurement& measurement);

struct TunerOptions {
  /// Starts a candidate's process, which prints to_json(measure_candidate(...)) on standard output. OP, SHAPE and
  /// IMPLEMENTATION are appended.
  std::vector<std::string> command;
  double budget_seconds = 60;
  double candidate_seconds = 20;  ///< a process that takes longer is killed
};

/// A choice that was measured.
struct TunedChoice {
  TuningRecord record;
  double share = 0;
  std::string shipped;              ///< what runs untuned
  double shipped_microseconds = 0;  ///< 0 where that failed
};

/// A candidate that failed. It is not tried again at the op's other shapes.
struct LeftOut {
  OpShape key;
  std::string implementation, reason;
};

/// Is told how a search goes. Every method has an empty default.
class TuningObserver {
 public:
  virtual ~TuningObserver() = default;
  virtual void on_start(const StepChoice&) {}
  virtual void on_tuned(const TunedChoice&) {}
  virtual void on_left_out(const LeftOut&) {}
};

struct TuningReport {
  std::vector<TunedChoice> tuned;
  std::vector<LeftOut> left_out;
  size_t not_reached = 0;  ///< choices that were left when the budget was used up
};

/// Measures the candidates of each choice, in the order given, in several rounds of alternating order, and saves each
/// choice's winner at once. The shipped implementation stays where it is within 3% of the best. Choices with one
/// candidate, and ops that are not tried (ops/trial.hpp), are passed over. Throws UsageError where VITCL_IMPL is set,
/// as it would force the candidates' processes, and StorageError where a record can't be saved.
TuningReport tune(const DeviceInfo& device, const std::vector<StepChoice>& choices, const TuningStore& store,
                  const TunerOptions& options, TuningObserver& observer);

}  // namespace vitcl::train
