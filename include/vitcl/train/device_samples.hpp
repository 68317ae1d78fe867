#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::train {

/// How pixels become the model's input: (pixel / 255 - mean) / deviation, one value a channel.
struct PixelStatistics {
  std::vector<float> mean, deviation;
  bool operator==(const PixelStatistics&) const = default;
};
/// The value of a black pixel after normalisation, averaged over the channels: what padding is made of.
float black_pixel(const PixelStatistics& pixel_statistics);

/// Labelled images on a device, as bytes; batches are gathered and normalised there.
///   pixels: (samples, channels, side, side) u8   labels: (samples) i32   mean, deviation: (channels)
struct DeviceSamples {
  Tensor pixels, labels, mean, deviation;

  /// `pixels_shape` is that of `pixels`. Throws DeviceError where the images don't fit in one allocation.
  static DeviceSamples upload(Queue& queue, const Shape& pixels_shape, std::span<const uint8_t> pixels,
                              std::span<const int32_t> labels, const PixelStatistics& pixel_statistics);
  size_t count() const { return pixels.shape()[0]; }
};

}  // namespace vitcl::train
