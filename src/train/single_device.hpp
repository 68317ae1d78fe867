#pragma once

#include "engine.hpp"
#include "stepper.hpp"
#include "vitcl/data/dataset.hpp"

namespace vitcl::train {

/// The images on a device, as bytes, all of them.
DeviceSamples upload_split(Queue& queue, const data::Split& split, const data::Dataset& dataset);

/// The bytes of --data-memory.
size_t data_memory_bytes(const TrainConfig& config);

/// How many test images to measure at once: enough for any device's units, few enough for any memory.
size_t evaluation_batch(const TrainConfig& config);

/// A run on one device.
class SingleDevice final : public Engine {
 public:
  SingleDevice(Device& device, const TrainConfig& config, const data::Dataset& dataset);

  const BatchCut& cut() const override { return stepper_.cut(); }
  nn::Parameters& parameters() override { return stepper_.parameters(); }
  const nn::Plan& plan() const override { return stepper_.plan(); }
  void begin_epoch(size_t epoch, size_t first, const std::vector<double>& rates) override {
    stepper_.begin_epoch(epoch, first, rates);
  }
  void step() override { stepper_.step(); }
  std::vector<float> losses(size_t first, size_t count) override { return stepper_.losses(first, count); }
  std::optional<Evaluation> evaluate(const std::atomic<bool>& stop) override { return evaluator_.run(stop); }
  void load(const Checkpoint& checkpoint) override { stepper_.load(checkpoint); }
  void save(Checkpoint& checkpoint) override { stepper_.save(checkpoint); }
  std::string first_not_finite() override;
  std::optional<double> waited_seconds() const override { return train_.waited_seconds(); }

 private:
  Queue& queue_;
  DeviceSamples train_, test_;
  Stepper stepper_;
  Evaluator evaluator_;
};

}  // namespace vitcl::train
