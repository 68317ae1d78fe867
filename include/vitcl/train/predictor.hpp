#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vitcl/backend/device.hpp"
#include "vitcl/train/attention_maps.hpp"
#include "vitcl/train/checkpoint.hpp"

namespace vitcl::train {

/// A trained model on a device, for images one has at hand.
class Predictor {
 public:
  /// `device` must outlive it. `patch_mask` replaces the checkpoint's where it is not empty. `batch` images are
  /// computed at once; fewer where the device's memory asks for it.
  Predictor(Device& device, const Checkpoint& checkpoint, const std::string& patch_mask = "", size_t batch = 1);
  ~Predictor();
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  /// The probability of each class (images, classes) for any number of images (images, channels, image_size,
  /// image_size) of bytes. Throws DataError where they have another size.
  std::vector<float> probabilities(std::span<const uint8_t> images);
  /// How one image's tokens attend to each other, computed on the host from the queries and keys of the plain layers.
  AttentionMaps attention(std::span<const uint8_t> image);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitcl::train
