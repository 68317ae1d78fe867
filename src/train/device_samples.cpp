#include "vitcl/train/device_samples.hpp"

#include <numeric>

namespace vitcl::train {

float black_pixel(const PixelStatistics& pixel_statistics) {
  double sum = 0;
  for (size_t c = 0; c < pixel_statistics.mean.size(); ++c) {
    sum += (0.0 - static_cast<double>(pixel_statistics.mean[c])) / static_cast<double>(pixel_statistics.deviation[c]);
  }
  return static_cast<float>(sum / static_cast<double>(pixel_statistics.mean.size()));
}

DeviceSamples DeviceSamples::upload(Queue& queue, const Shape& pixels_shape, std::span<const uint8_t> pixels,
                                    std::span<const int32_t> labels, const PixelStatistics& pixel_statistics) {
  Device& device = queue.device();
  DeviceSamples samples{.pixels = Tensor::empty(device, pixels_shape, DType::u8),
                        .labels = Tensor::empty(device, {labels.size()}, DType::i32),
                        .mean = Tensor::empty(device, {pixel_statistics.mean.size()}),
                        .deviation = Tensor::empty(device, {pixel_statistics.deviation.size()})};
  vitcl::upload<uint8_t>(queue, pixels, samples.pixels);
  vitcl::upload<int32_t>(queue, labels, samples.labels);
  vitcl::upload<float>(queue, pixel_statistics.mean, samples.mean);
  vitcl::upload<float>(queue, pixel_statistics.deviation, samples.deviation);
  return samples;
}

}  // namespace vitcl::train
