#include "vitcl/data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "parallel.hpp"

namespace vitcl::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the fingerprint hashes integers as they lie in memory");

void add(XXH3_state_t& state, const Split& split) {
  const std::array<uint64_t, 3> sizes{split.count, split.channels, split.side};
  XXH3_128bits_update(&state, sizes.data(), sizeof(sizes));
  if (split.content.empty()) XXH3_128bits_update(&state, split.pixels.data(), split.pixels.size());
  XXH3_128bits_update(&state, split.content.data(), split.content.size());
  XXH3_128bits_update(&state, split.labels.data(), split.labels.size() * sizeof(int32_t));
}

/// The images by which a data set is measured. Those of a folder are as many, and the same, whether they are kept in
/// memory or not.
std::vector<uint8_t> measured_pixels(const Split& split) {
  constexpr size_t most = 10000;
  const size_t count = std::min(split.count, most), bytes = split.image_bytes();
  std::vector<uint8_t> pixels(count * bytes);
  for_each_index(count, default_workers(),
                 [&](size_t i) { split.read(i * split.count / count, std::span(pixels).subspan(i * bytes, bytes)); });
  return pixels;
}

}  // namespace

void Split::read(size_t index, std::span<uint8_t> image) const {
  if (source && pixels.empty()) return source->read(index, image);
  std::copy_n(pixels.begin() + static_cast<std::ptrdiff_t>(index * image_bytes()), image_bytes(), image.begin());
}

void measure_normalisation(Dataset& dataset) {
  const Split& split = dataset.train;
  const size_t plane = split.side * split.side;
  const std::vector<uint8_t> some = split.content.empty() ? std::vector<uint8_t>() : measured_pixels(split);
  const std::vector<uint8_t>& all = split.content.empty() ? split.pixels : some;
  const size_t images = all.size() / std::max(split.image_bytes(), size_t{1});
  dataset.mean.assign(split.channels, 0);
  dataset.deviation.assign(split.channels, 1);
  for (size_t c = 0; c < split.channels && images > 0; ++c) {
    uint64_t sum = 0, squares = 0;
    for (size_t image = 0; image < images; ++image) {
      const uint8_t* pixels = all.data() + (image * split.channels + c) * plane;
      for (size_t i = 0; i < plane; ++i) {
        sum += pixels[i];
        squares += uint64_t{pixels[i]} * pixels[i];
      }
    }
    const auto count = static_cast<double>(images * plane);
    const double mean = static_cast<double>(sum) / count;
    const double variance = static_cast<double>(squares) / count - mean * mean;
    dataset.mean[c] = static_cast<float>(mean / 255);
    if (variance > 1e-9) dataset.deviation[c] = static_cast<float>(std::sqrt(variance) / 255);
  }
}

double border_brightness(std::span<const uint8_t> images, size_t channels, size_t side) {
  const size_t last = side - 1, plane = side * side;
  uint64_t sum = 0, count = 0;
  for (size_t image = 0; image + channels * plane <= images.size(); image += channels * plane) {
    for (size_t i = 0; i < channels * plane; ++i) {
      const size_t x = i % side, y = i / side % side;
      if (x > 0 && x < last && y > 0 && y < last) continue;
      sum += images[image + i];
      ++count;
    }
  }
  return count == 0 ? -1 : static_cast<double>(sum) / static_cast<double>(count) / 255;
}

std::string fingerprint(const Dataset& dataset) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  add(state, dataset.train);
  add(state, dataset.test);
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace vitcl::data
