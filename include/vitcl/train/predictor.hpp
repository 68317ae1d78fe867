#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vitcl/backend/device.hpp"
#include "vitcl/train/checkpoint.hpp"

namespace vitcl::train {

/// A trained model on a device, for images one has at hand.
class Predictor {
 public:
  /// `device` must outlive it. `patch_mask` replaces the checkpoint's where it is not empty.
  Predictor(Device& device, const Checkpoint& checkpoint, const std::string& patch_mask = "");
  ~Predictor();
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  /// The probability of each class for an image (channels, image_size, image_size) of bytes. Throws DataError where it
  /// has another size.
  std::vector<float> probabilities(const std::vector<uint8_t>& image);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitcl::train
