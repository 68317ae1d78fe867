#pragma once

#include <optional>
#include <vector>

#include "vitcl/nn/parameters.hpp"
#include "vitcl/ops/optimizer.hpp"
#include "vitcl/train/checkpoint.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// Parameters and what the optimiser keeps beside them, on the host, flat. `average` is empty where none is kept.
struct FlatState {
  std::vector<float> values, exp_avg, exp_avg_sq, average;
};
/// From a checkpoint. Throws StorageError naming what is missing, unknown or of the wrong size.
FlatState flat_state(const Checkpoint& checkpoint, const nn::Parameters& parameters, bool with_average);
/// Into a checkpoint.
void fill(Checkpoint& checkpoint, const FlatState& state, const nn::Parameters& parameters);

/// How a run's parameters follow their gradients: the rule that the configuration names, its moments on the device, a
/// learning rate and a weight decay for each parameter, clipping, and the average of the parameters.
class Optimizer {
 public:
  /// Moments of zero. `parameters` must outlive it; `alignment` is theirs. Throws UsageError where --freeze names no
  /// parameter, or all.
  Optimizer(Queue& queue, const TrainConfig& config, nn::Parameters& parameters, size_t alignment = 0);

  /// Enqueues a step with the rates of the table's row at the cursor; recordable.
  void update(Queue& queue, const Tensor& gradients, const Tensor& table, const Tensor& cursor) const;
  /// The row of the step table for the run's step number `t`, counted from 1.
  ops::StepEntry entry(double lr, size_t t, size_t first_sample) const;
  /// Has the average begin with the parameters as they are.
  void begin_average(Queue& queue);
  /// What is measured: the average where there is one, else the parameters themselves.
  nn::Parameters& measured() { return average_ ? *average_ : parameters_; }

  void load(Queue& queue, const FlatState& state);
  FlatState save(Queue& queue) const;
  bool keeps_average() const { return average_.has_value(); }

 private:
  bool is_plain_adam() const;
  nn::Parameters& parameters_;
  Opt opt_;
  ops::AdamOptions adam_;
  ops::SgdOptions sgd_;
  double max_norm_, average_decay_;
  Tensor exp_avg_, exp_avg_sq_;
  Tensor factors_, gradient_scale_, clip_workspace_;  // factors_ is empty where the rule is plain Adam
  std::optional<nn::Parameters> average_;
};

/// The row of a step table for step number `t`, counted from 1, of Adam.
ops::StepEntry step_entry(const ops::AdamOptions& options, double lr, size_t t, size_t first_sample);

}  // namespace vitcl::train
