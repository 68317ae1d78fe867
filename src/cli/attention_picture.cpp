#include "attention_picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace vitcl::cli {
namespace {

constexpr size_t gap = 6;
constexpr double dimmed = 0.6;   // of the picture's brightness, where nothing is attended to
constexpr double opacity = 0.8;  // of the colour, where attention is greatest

/// A map (grid, grid) over the patches, read anywhere in the image by bilinear interpolation, on a scale from `least`
/// to the largest value.
class PatchMap {
 public:
  PatchMap(const std::vector<float>& values, const models::ViTConfig& model, float least)
      : values_(values), model_(model), least_(least), range_(*std::ranges::max_element(values) - least) {}

  /// The value at a point of the image, whose sides are 1 long: 0 to 1.
  double at(double x, double y) const {
    const auto [left, right, rightness] = neighbours(x);
    const auto [top, bottom, lowness] = neighbours(y);
    const double upper = std::lerp(value(top, left), value(top, right), rightness);
    const double lower = std::lerp(value(bottom, left), value(bottom, right), rightness);
    const double above = std::lerp(upper, lower, lowness) - static_cast<double>(least_);
    return range_ > 0 ? std::clamp(above / static_cast<double>(range_), 0.0, 1.0) : 0;
  }

 private:
  struct Neighbours {
    size_t before, after;
    double share;  // of the latter
  };
  /// The patches whose centres lie around a coordinate. The padding is centred, an odd pixel of it behind.
  Neighbours neighbours(double coordinate) const {
    const size_t grid = model_.grid(), padding = (grid * model_.patch_size - model_.image_size) / 2;
    const double pixel = coordinate * static_cast<double>(model_.image_size) + static_cast<double>(padding);
    const double patch =
        std::clamp(pixel / static_cast<double>(model_.patch_size) - 0.5, 0.0, static_cast<double>(grid - 1));
    const auto before = static_cast<size_t>(patch);
    return {before, std::min(before + 1, grid - 1), patch - std::floor(patch)};
  }
  double value(size_t row, size_t column) const { return static_cast<double>(values_[row * model_.grid() + column]); }

  const std::vector<float>& values_;
  const models::ViTConfig& model_;
  float least_, range_;
};

std::array<double, 3> colour_of(double share) {
  constexpr std::array<double, 3> low = {230, 60, 20}, high = {255, 225, 70};
  return {std::lerp(low[0], high[0], share), std::lerp(low[1], high[1], share), std::lerp(low[2], high[2], share)};
}

/// The square picture, dimmed, with the map's colours over it.
io::Image overlaid(io::Image square, const PatchMap& map) {
  const auto side = static_cast<double>(square.width);
  for (size_t i = 0; i < square.pixels.size(); ++i) {
    const size_t pixel = i / 3, x = pixel % square.width, y = pixel / square.width;
    const double share = map.at((static_cast<double>(x) + 0.5) / side, (static_cast<double>(y) + 0.5) / side);
    const double below = dimmed * square.pixels[i];
    square.pixels[i] = static_cast<uint8_t>(std::lround(std::lerp(below, colour_of(share)[i % 3], opacity * share)));
  }
  return square;
}

void paste(const io::Image& part, size_t left, size_t top, io::Image& whole) {
  for (size_t y = 0; y < part.height; ++y) {
    const auto* row = part.pixels.data() + y * part.width * 3;
    std::copy(row, row + part.width * 3, whole.pixels.data() + ((top + y) * whole.width + left) * 3);
  }
}

}  // namespace

io::Image attention_picture(const io::Image& picture, const models::ViTConfig& model,
                            const train::AttentionMaps& maps) {
  constexpr size_t widest = 2048, smallest = 32, largest = 112;
  const size_t side = std::clamp(widest / maps.heads, smallest, largest), large = 2 * side + gap, pitch = side + gap;
  const size_t width = std::max(maps.heads * pitch, 2 * (large + gap)) + gap;
  const size_t top = large + 2 * gap, height = top + maps.depth * pitch;
  constexpr uint8_t paper = 255;
  io::Image whole{width, height, 3, std::vector<uint8_t>(width * height * 3, paper)};

  const io::Image coloured = io::with_channels(picture, 3);
  const io::Image large_square = io::resized(coloured, large), small_square = io::resized(coloured, side);
  const std::vector<float> rollout = attention_rollout(maps);
  paste(large_square, gap, gap, whole);
  paste(overlaid(large_square, {rollout, model, *std::ranges::min_element(rollout)}), large + 2 * gap, gap, whole);
  for (size_t block = 0; block < maps.depth; ++block) {
    for (size_t head = 0; head < maps.heads; ++head) {
      const std::vector<float> seen = head_map(maps, block, head);
      paste(overlaid(small_square, {seen, model, 0}), gap + head * pitch, top + block * pitch, whole);
    }
  }
  return whole;
}

}  // namespace vitcl::cli
