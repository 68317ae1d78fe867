#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vitcl::data {

/// Images that are made when they are wanted, as by decoding a file. Used by several threads at once.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  /// Writes one image: (channels, side, side) bytes. Throws DataError naming what can't be read.
  virtual void read(size_t index, std::span<uint8_t> pixels) const = 0;
};

/// Square images as bytes, with one label each.
struct Split {
  size_t count = 0;
  size_t channels = 1;
  size_t side = 0;
  std::vector<uint8_t> pixels;  ///< (count, channels, side, side); empty where `source` makes them
  std::vector<int32_t> labels;  ///< (count), each in [0, classes)
  std::shared_ptr<const ImageSource> source = nullptr;
  std::string content = {};  ///< what stands for the pixels in fingerprint(); empty: they do themselves

  size_t image_bytes() const { return channels * side * side; }
  size_t bytes() const { return count * image_bytes(); }
  /// Writes image `index` as (channels, side, side) bytes, wherever it comes from.
  void read(size_t index, std::span<uint8_t> image) const;
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
  std::vector<std::string> unreadable;   ///< why a picture was left out, a message each
};

enum class Normalisation {
  standard,  ///< the data set's own mean and deviation
  unit,      ///< mean 0, deviation 1: pixels in [0, 1]
};

/// Sets mean and deviation of every channel from the training pixels / 255, by exact integer sums; of images from a
/// source at most 10,000 are measured, evenly spaced. A channel without any variation gets deviation 1.
void measure_normalisation(Dataset& dataset);

/// The mean brightness, 0 to 1, of the outermost pixels of images (count, channels, side, side): near 0 where things
/// are drawn light on dark, near 1 where dark on light; -1 without any image.
double border_brightness(std::span<const uint8_t> images, size_t channels, size_t side);

/// 32 hexadecimal digits (XXH3, 128 bits) that depend on the pixels (or what stands for them), labels and sizes of both
/// splits: equal data, equal fingerprint, on every platform. A resumed run compares it.
std::string fingerprint(const Dataset& dataset);

}  // namespace vitcl::data
