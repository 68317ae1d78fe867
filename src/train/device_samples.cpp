#include "vitcl/train/device_samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "data/parallel.hpp"
#include "sample_stream.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::train {

float black_pixel(const PixelStatistics& pixel_statistics) {
  double sum = 0;
  for (size_t c = 0; c < pixel_statistics.mean.size(); ++c) {
    sum += (0.0 - static_cast<double>(pixel_statistics.mean[c])) / static_cast<double>(pixel_statistics.deviation[c]);
  }
  return static_cast<float>(sum / static_cast<double>(pixel_statistics.mean.size()));
}

namespace {

/// The images of one of two chunks; 0 where all fit at once.
size_t chunk_images(const data::Split& split, const DeviceInfo& info, const StreamOptions& options) {
  constexpr size_t enough = size_t{1} << 26;  // bytes: larger chunks gain nothing
  const size_t memory = info.caps.memory_bytes == 0 ? info.caps.max_allocation : info.caps.memory_bytes / 2;
  const size_t limit = options.most_bytes == 0 ? std::min(info.caps.max_allocation, memory) : options.most_bytes;
  if (split.bytes() <= limit) return 0;
  const size_t images = std::max(std::min(limit / 2, enough) / split.image_bytes(), options.batch);
  if (2 * options.batch * split.image_bytes() > limit)
    throw DeviceError(fmt::format(
        "two batches of {} images of {} bytes exceed the {} bytes of images that the device {} may keep; use a smaller "
        "batch (--batch-size) or raise --data-memory",
        options.batch, split.image_bytes(), limit, info.name));
  return images;
}

/// All of a split's images, wherever they come from.
std::vector<uint8_t> all_pixels(const data::Split& split, size_t workers) {
  std::vector<uint8_t> pixels(split.bytes());
  const size_t bytes = split.image_bytes();
  data::for_each_index(split.count, workers == 0 ? data::default_workers() : workers,
                       [&](size_t i) { split.read(i, std::span(pixels).subspan(i * bytes, bytes)); });
  return pixels;
}

}  // namespace

DeviceSamples DeviceSamples::open(Queue& queue, const data::Split& split, const PixelStatistics& pixel_statistics,
                                  const StreamOptions& options) {
  const Shape shape{split.count, split.channels, split.side, split.side};
  const size_t chunk = chunk_images(split, queue.device().info(), options);
  if (chunk == 0) {
    if (split.source == nullptr) return upload(queue, shape, split.pixels, split.labels, pixel_statistics);
    return upload(queue, shape, all_pixels(split, options.workers), split.labels, pixel_statistics);
  }
  DeviceSamples samples =
      upload(queue, {0, split.channels, split.side, split.side}, {}, split.labels, pixel_statistics);
  samples.stream = std::make_shared<SampleStream>(queue.device(), split, chunk, options.workers);
  samples.pixels = samples.stream->buffers();
  return samples;
}

std::optional<double> DeviceSamples::waited_seconds() const {
  return stream ? std::optional(stream->waited_seconds()) : std::nullopt;
}

DeviceSamples DeviceSamples::upload(Queue& queue, const Shape& pixels_shape, std::span<const uint8_t> pixels,
                                    std::span<const int32_t> labels, const PixelStatistics& pixel_statistics) {
  Device& device = queue.device();
  DeviceSamples samples{.pixels = {},
                        .labels = Tensor::empty(device, {labels.size()}, DType::i32),
                        .mean = Tensor::empty(device, {pixel_statistics.mean.size()}),
                        .deviation = Tensor::empty(device, {pixel_statistics.deviation.size()})};
  if (!pixels.empty()) {
    samples.pixels.push_back(Tensor::empty(device, pixels_shape, DType::u8));
    vitcl::upload<uint8_t>(queue, pixels, samples.pixels.front());
  }
  vitcl::upload<int32_t>(queue, labels, samples.labels);
  vitcl::upload<float>(queue, pixel_statistics.mean, samples.mean);
  vitcl::upload<float>(queue, pixel_statistics.deviation, samples.deviation);
  return samples;
}

}  // namespace vitcl::train
