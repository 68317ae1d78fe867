#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace vitcl::io {

/// An image of 8-bit samples, rows from the top, the channels of a pixel side by side: (height, width, channels).
struct Image {
  size_t width = 0;
  size_t height = 0;
  size_t channels = 1;  ///< 1 grey, 3 red, green, blue
  std::vector<uint8_t> pixels;
  bool operator==(const Image&) const = default;
};

/// The most pixels that an image may have: 2^25, more than an 8K screen has.
constexpr size_t most_image_pixels = size_t{1} << 25;

/// Decodes a PNG of any kind: 1 to 16 bits (16 are rounded to 8), grey, colour or palette, interlaced or not. What is
/// transparent is laid over black. Gamma and colour profiles are ignored, as training pipelines do. Throws DataError
/// naming the file and the cause.
Image read_png(const std::filesystem::path& path);

/// Decodes a baseline or progressive JPEG of at most most_image_pixels, grey or in colour; orientation tags are
/// ignored. Throws DataError naming the file and the cause, also where the file ends early or its data is damaged.
Image read_jpeg(const std::filesystem::path& path);

/// Whether a file is taken for a picture by the ending of its name: .png, .jpg or .jpeg, in letters of either case.
bool is_picture_name(const std::filesystem::path& path);

/// read_png or read_jpeg, as the file's first bytes tell. Throws DataError where it is neither.
Image read_image(const std::filesystem::path& path);

/// Throws StorageError; an existing file is replaced only by a whole one.
void write_png(const std::filesystem::path& path, const Image& image);

/// The same image as grey (ITU-R BT.601 luma) or RGB. Throws UsageError unless `channels` is 1 or 3.
Image with_channels(const Image& image, size_t channels);

/// Stretches or shrinks to (side, side) with a triangle filter that is widened where the image shrinks: bilinear one
/// way, an area average the other.
Image resized(const Image& image, size_t side);

/// The samples as a model reads them: (channels, height, width).
std::vector<uint8_t> planes(const Image& image);

}  // namespace vitcl::io
