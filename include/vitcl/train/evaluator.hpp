#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vitcl/models/vit.hpp"
#include "vitcl/nn/parameters.hpp"
#include "vitcl/train/device_samples.hpp"

namespace vitcl::train {

struct Evaluation {
  double loss = 0;      ///< mean cross-entropy, without label smoothing
  double accuracy = 0;  ///< 0 to 1
  size_t samples = 0;
};

/// Measures a model on labelled images, batch after batch; compiled once, run as often as its parameters change.
class Evaluator {
 public:
  /// `parameters` and `samples` must outlive it. `model` is masked where `patch_mask` is not empty. `batch` is a wish:
  /// a smaller one is used where the device's memory asks for it.
  Evaluator(const models::ViTConfig& model, const std::string& patch_mask, nn::Parameters& parameters, Queue& queue,
            const DeviceSamples& samples, size_t batch);
  ~Evaluator();
  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;

  /// Empty where `stop` was set before the end.
  std::optional<Evaluation> run(const std::atomic<bool>& stop);
  Evaluation run();
  /// The same, with the logits (samples, classes) of all samples in their order.
  Evaluation run(std::vector<float>& logits);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitcl::train
