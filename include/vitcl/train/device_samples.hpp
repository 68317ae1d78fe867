#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vitcl/data/dataset.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::train {

/// How pixels become the model's input: (pixel / 255 - mean) / deviation, one value a channel.
struct PixelStatistics {
  std::vector<float> mean, deviation;
  bool operator==(const PixelStatistics&) const = default;
};
/// The value of a black pixel after normalisation, averaged over the channels: what padding is made of.
float black_pixel(const PixelStatistics& pixel_statistics);

class SampleStream;

/// How images come to a device.
struct StreamOptions {
  size_t most_bytes = 0;  ///< of images on the device at once; 0: half of its memory, and no more than one allocation
  size_t batch = 1;       ///< the images that a step must be able to take
  size_t workers = 0;     ///< threads that decode; 0: as many as the processor runs at once
};

/// Labelled images on a device, as bytes; batches are gathered and normalised there.
///   pixels: one tensor (samples, channels, side, side) u8, or where `stream` brings them two of a chunk each
///   labels: (samples) i32   mean, deviation: (channels)
struct DeviceSamples {
  std::vector<Tensor> pixels;
  Tensor labels, mean, deviation;
  std::shared_ptr<SampleStream> stream = nullptr;

  /// Puts a split's images on the device, or where there are too many of them has them streamed; then `split` must
  /// outlive the samples. Throws DeviceError where two batches exceed the limit, DataError where an image can't be
  /// read.
  static DeviceSamples open(Queue& queue, const data::Split& split, const PixelStatistics& pixel_statistics,
                            const StreamOptions& options);

  /// `pixels_shape` is that of `pixels`. Throws DeviceError where the images don't fit in one allocation.
  static DeviceSamples upload(Queue& queue, const Shape& pixels_shape, std::span<const uint8_t> pixels,
                              std::span<const int32_t> labels, const PixelStatistics& pixel_statistics);
  size_t count() const { return labels.shape()[0]; }
  /// The most images that a step may take.
  size_t most_batch() const { return stream ? pixels.front().shape()[0] : count(); }
  /// How long the device had nothing to do for want of images.
  std::optional<double> waited_seconds() const;
};

}  // namespace vitcl::train
