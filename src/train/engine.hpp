#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "step_program.hpp"
#include "vitcl/train/checkpoint.hpp"
#include "vitcl/train/evaluator.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::train {

/// What holds a training run's state and moves it on: one device, or several.
class Engine {
 public:
  Engine() = default;
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  virtual const BatchCut& cut() const = 0;
  virtual nn::Parameters& parameters() = 0;
  /// The largest plan of a step.
  virtual const nn::Plan& plan() const = 0;

  /// Prepares the steps of an epoch, counted from 0, from its step `first` on, at these learning rates, one a step,
  /// and keeps the state before them.
  virtual void begin_epoch(size_t epoch, size_t first, const std::vector<double>& rates) = 0;
  /// The epoch's next step; it may still be running on return.
  virtual void step() = 0;
  /// The mean losses of `count` steps of this epoch from `first` on. Waits for them.
  virtual std::vector<float> losses(size_t first, size_t count) = 0;
  /// Empty where `stop` was set before the end.
  virtual std::optional<Evaluation> evaluate(const std::atomic<bool>& stop) = 0;

  virtual void load(const Checkpoint& checkpoint) = 0;
  /// Fills in parameters and what the optimiser keeps.
  virtual void save(Checkpoint& checkpoint) = 0;
  /// The first parameter whose gradient or value is not finite, in words; empty where there is none.
  virtual std::string first_not_finite() = 0;

  /// How long the device has had nothing to do in training for want of images; empty where none are streamed.
  virtual std::optional<double> waited_seconds() const { return {}; }

  /// Whether a copy of the state, after the steps whose losses were read last, now lies on the host, where it outlives
  /// every device. Makes one where that is due.
  virtual bool keep() { return false; }
  /// save() from that copy.
  virtual void save_kept(Checkpoint& /*checkpoint*/) {}
  /// Tells `observer`, or nobody, what becomes of the devices.
  virtual void observe(TrainObserver* /*observer*/) {}
};

/// The first parameter in whose gradient, or in which, a value is not finite, in words; empty where there is none.
std::string first_not_finite(const nn::Parameters& parameters, const nn::NamedTensors& gradients,
                             const nn::NamedTensors& values);

}  // namespace vitcl::train
