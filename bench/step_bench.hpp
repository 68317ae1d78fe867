#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "train/step_program.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::bench {

/// How much is timed: `repeats` times, `steps` steps queued back to back.
struct Amount {
  size_t steps, repeats;
};

struct Timing {
  double median_ms, least_ms;  ///< a step, over the repeats
  double idle_share;           ///< of the processors' time during the repeats: 1 - CPU time / (cores x time)
};

/// A positive number. Throws UsageError naming the option.
size_t parse_count(std::string_view option, const std::string& text);

/// The most memory of this process that ever was resident, in bytes.
size_t peak_resident_bytes();

class Workload;

/// Recorded steps, ready to run.
class Steps {
 public:
  Timing run(const Amount& amount);
  size_t planned_bytes() const { return program_.plan().planned_bytes(); }

 private:
  friend class Workload;
  Steps(const Workload& work, train::StepProgram program) : work_(work), program_(std::move(program)) {}
  const Workload& work_;
  train::StepProgram program_;
};

/// A model with random images on a device, and what its steps read and write.
class Workload {
 public:
  Workload(Device& device, const train::TrainConfig& config);

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
  train::MaskSource mask_;
  nn::Graph graph_;
  nn::Parameters parameters_;
  train::DeviceSamples samples_;
  train::StepState state_;
  train::AdamState adam_;
};

}  // namespace vitcl::bench
