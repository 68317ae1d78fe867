#pragma once

#include <optional>
#include <vector>

#include "mixing.hpp"
#include "step_program.hpp"
#include "vitcl/train/checkpoint.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// A training run's state on the device and the step that moves it on.
class Stepper {
 public:
  /// Draws the initial parameters. `samples` must outlive it.
  Stepper(Queue& queue, const TrainConfig& config, const DeviceSamples& samples);

  const BatchCut& cut() const { return cut_; }
  nn::Parameters& parameters() { return parameters_; }
  /// Of a full batch.
  const nn::Plan& plan() const { return programs_.front().plan(); }

  nn::Parameters& measured() { return optimizer_.measured(); }

  /// Prepares the steps of an epoch, counted from 0, from its step `first` on, at these learning rates, one a step.
  void begin_epoch(size_t epoch, size_t first, const std::vector<double>& rates);
  /// Enqueues the epoch's next step. Waits for nothing but images that are streamed and have not come.
  void step();
  /// The mean losses of `count` steps of this epoch from `first` on. Waits for the queue.
  std::vector<float> losses(size_t first, size_t count);

  void load(const Checkpoint& checkpoint);
  /// Fills in parameters and what the optimiser keeps.
  void save(Checkpoint& checkpoint);

 private:
  std::vector<ops::StepEntry> step_table(size_t epoch, const std::vector<double>& rates) const;

  Queue& queue_;
  const DeviceSamples& samples_;
  size_t seed_;
  nn::Graph graph_;
  nn::Parameters parameters_;
  Optimizer optimizer_;
  BatchCut cut_;
  StepState state_;
  std::optional<Mixing> mixing_;
  std::vector<StepProgram> programs_;  // full batches; then the last, where it is smaller
  size_t epoch_ = 0, next_ = 0;
};

}  // namespace vitcl::train
