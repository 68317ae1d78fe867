#include "vitcl/io/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "vitcl/backend/error.hpp"

namespace vitcl::io {
namespace {

/// The source samples that make one sample of the result, with weights that sum to 1.
struct Taps {
  size_t first = 0;
  std::vector<double> weights;
};

std::vector<Taps> triangle_filter(size_t from, size_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(scale, 1.0);
  std::vector<Taps> filter(to);
  for (size_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = static_cast<size_t>(std::max(std::floor(centre - reach + 0.5), 0.0));
    const auto last = std::min(static_cast<size_t>(std::floor(centre + reach + 0.5)), from);
    Taps& taps = filter[i];
    taps.first = first;
    double sum = 0;
    for (size_t source = first; source < last; ++source) {
      const double distance = std::abs(static_cast<double>(source) + 0.5 - centre) / reach;
      taps.weights.push_back(std::max(1 - distance, 0.0));
      sum += taps.weights.back();
    }
    for (double& weight : taps.weights) weight /= sum;
  }
  return filter;
}

}  // namespace

bool is_picture_name(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

Image with_channels(const Image& image, size_t channels) {
  if (channels != 1 && channels != 3)
    throw UsageError(fmt::format("an image can be made grey (1 channel) or RGB (3), not {} channels", channels));
  if (channels == image.channels) return image;
  Image result{image.width, image.height, channels, {}};
  result.pixels.reserve(image.width * image.height * channels);
  if (channels == 3) {
    for (const uint8_t grey : image.pixels) result.pixels.insert(result.pixels.end(), 3, grey);
    return result;
  }
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    const unsigned luma = 299U * image.pixels[i] + 587U * image.pixels[i + 1] + 114U * image.pixels[i + 2];
    result.pixels.push_back(static_cast<uint8_t>((luma + 500) / 1000));
  }
  return result;
}

Image resized(const Image& image, size_t side) {
  if (image.width == side && image.height == side) return image;
  const std::vector<Taps> across = triangle_filter(image.width, side), down = triangle_filter(image.height, side);
  const size_t channels = image.channels, source_row = image.width * channels;
  Image result{side, side, channels, {}};
  result.pixels.reserve(side * side * channels);
  std::vector<double> line(source_row);  // of the new height, still of the old width
  for (size_t y = 0; y < side; ++y) {
    std::fill(line.begin(), line.end(), 0.0);
    for (size_t tap = 0; tap < down[y].weights.size(); ++tap)
      for (size_t i = 0; i < source_row; ++i)
        line[i] += down[y].weights[tap] * image.pixels[(down[y].first + tap) * source_row + i];
    for (size_t i = 0; i < side * channels; ++i) {
      const Taps& taps = across[i / channels];
      double sum = 0;
      for (size_t tap = 0; tap < taps.weights.size(); ++tap)
        sum += taps.weights[tap] * line[(taps.first + tap) * channels + i % channels];
      result.pixels.push_back(static_cast<uint8_t>(std::clamp(std::lround(sum), 0L, 255L)));
    }
  }
  return result;
}

std::vector<uint8_t> planes(const Image& image) {
  const size_t pixels = image.width * image.height;
  std::vector<uint8_t> result(image.pixels.size());
  for (size_t pixel = 0; pixel < pixels; ++pixel)
    for (size_t c = 0; c < image.channels; ++c) result[c * pixels + pixel] = image.pixels[pixel * image.channels + c];
  return result;
}

}  // namespace vitcl::io
