#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vitcl::data {

/// Square images as bytes, with one label each.
struct Split {
  size_t count = 0;
  size_t channels = 1;
  size_t side = 0;
  std::vector<uint8_t> pixels;  ///< (count, channels, side, side)
  std::vector<int32_t> labels;  ///< (count), each in [0, classes)

  size_t image_bytes() const { return channels * side * side; }
  bool operator==(const Split&) const = default;
};

/// A training and a test split of one kind of image. A model sees (pixel / 255 - mean) / deviation.
struct Dataset {
  std::string name;
  std::string source;  ///< a sentence: where the data came from, and why from there
  Split train, test;
  size_t classes = 0;
  std::vector<float> mean, deviation;    ///< one a channel
  std::vector<std::string> class_names;  ///< one a class
};

enum class Normalisation {
  standard,  ///< the data set's own mean and deviation
  unit,      ///< mean 0, deviation 1: pixels in [0, 1]
};

/// Sets mean and deviation of every channel from the training pixels / 255, by exact integer sums. A channel without
/// any variation gets deviation 1.
void measure_normalisation(Dataset& dataset);

/// The mean brightness, 0 to 1, of the outermost pixels of images (count, channels, side, side): near 0 where things
/// are drawn light on dark, near 1 where dark on light; -1 without any image.
double border_brightness(std::span<const uint8_t> images, size_t channels, size_t side);

/// 32 hexadecimal digits (XXH3, 128 bits) that depend on the pixels, labels and sizes of both splits: equal data, equal
/// fingerprint, on every platform. A resumed run compares it.
std::string fingerprint(const Dataset& dataset);

}  // namespace vitcl::data
