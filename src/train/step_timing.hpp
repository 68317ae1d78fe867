#pragma once

#include <cstddef>

#include "step_program.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// How much is timed: `repeats` times, `steps` steps queued back to back.
struct Amount {
  size_t steps, repeats;
};

struct Timing {
  double median_ms, least_ms;  ///< a step, over the repeats
  double idle_share;           ///< of the processors' time during the repeats: 1 - CPU time / (cores x time)
};

class Workload;

/// Recorded steps, ready to run.
class Steps {
 public:
  Timing run(const Amount& amount);
  size_t planned_bytes() const { return program_.plan().planned_bytes(); }

 private:
  friend class Workload;
  Steps(const Workload& work, StepProgram program) : work_(work), program_(std::move(program)) {}
  const Workload& work_;
  StepProgram program_;
};

/// A model with random images on a device, and what its steps read and write.
class Workload {
 public:
  Workload(Device& device, const TrainConfig& config);

  Steps training();
  Steps inference();
  /// The floating-point operations of a training step as the layers are written: nothing fused, no row left out.
  double counted_flops() const;
  size_t parameter_count() const { return parameters_.trainable_count(); }

 private:
  friend class Steps;
  Device& device_;
  size_t batch_;
  bool recompute_, fuse_;
  InputChanges changes_;
  nn::Graph graph_;
  nn::Parameters parameters_;
  DeviceSamples samples_;
  StepState state_;
  Optimizer optimizer_;
};

}  // namespace vitcl::train
