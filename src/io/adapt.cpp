#include "vitcl/io/adapt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vitcl::io {
namespace {

using models::ViTConfig;

/// Keys 1981, "Cubic convolution interpolation for digital image processing", equation 15; a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((x - 5) * x + 8) * x * a - 4 * a;
  return 0;
}

/// The samples that make a new one, from `first` on, and their weights.
struct Window {
  size_t first = 0;
  std::vector<double> weights;
};

std::vector<Window> windows(size_t from, size_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double widening = std::max(scale, 1.0), reach = 2 * widening;
  std::vector<Window> all;
  for (size_t i = 0; i < to; ++i) {
    const double center = scale * (static_cast<double>(i) + 0.5);
    Window window{.first = static_cast<size_t>(std::lround(std::max(0.0, center - reach))), .weights = {}};
    const size_t end = std::min(from, static_cast<size_t>(std::lround(center + reach)));
    double sum = 0;
    for (size_t j = window.first; j < end; ++j) {
      window.weights.push_back(cubic((static_cast<double>(j) + 0.5 - center) / widening));
      sum += window.weights.back();
    }
    for (double& weight : window.weights) weight /= sum;
    all.push_back(std::move(window));
  }
  return all;
}

/// Resizes the middle dimension of (outer, from, inner).
std::vector<double> resized(const std::vector<double>& values, size_t outer, size_t inner, size_t from, size_t to) {
  const std::vector<Window> all = windows(from, to);
  std::vector<double> result(outer * to * inner);
  for (size_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < to; ++i)
      for (size_t k = 0; k < all[i].weights.size(); ++k)
        for (size_t c = 0; c < inner; ++c)
          result[(o * to + i) * inner + c] += all[i].weights[k] * values[(o * from + all[i].first + k) * inner + c];
  return result;
}

/// Patch weights (dim, pixels * from) for `to` channels.
std::vector<float> with_channels(const std::vector<float>& weights, size_t from, size_t to) {
  std::vector<float> result;
  result.reserve(weights.size() / from * to);
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  for (size_t pixel = 0; pixel < weights.size(); pixel += from) {
    if (to == 1) {
      double sum = 0;
      for (size_t c = 0; c < from; ++c) sum += weights[pixel + c];
      result.push_back(static_cast<float>(sum));
    } else {
      for (size_t c = 0; c < to; ++c) result.push_back(weights[pixel + c % from] * scale);
    }
  }
  return result;
}

void adapt_positions(const ViTConfig& from, const ViTConfig& to, Adapted& adapted) {
  if (from.grid() == to.grid()) return;
  const bool learned = to.position == models::Position::learned;
  if (learned) {
    std::vector<float>& positions = adapted.parameters.at("tokens.positions");
    positions = resized_positions(positions, from.tokens() - from.patches(), from.dim, from.grid(), to.grid());
  } else {
    adapted.parameters.erase("tokens.positions");
  }
  adapted.changes.push_back(fmt::format("positions {} from {} x {} to {} x {} patches",
                                        learned ? "resized" : "computed anew,", from.grid(), from.grid(), to.grid(),
                                        to.grid()));
}

void adapt_channels(const ViTConfig& from, const ViTConfig& to, Adapted& adapted) {
  if (from.channels == to.channels) return;
  std::vector<float>& weights =
      adapted.parameters.at(from.stem == models::Stem::patches ? "patch_embedding.weight" : "stem.0.weight");
  weights = with_channels(weights, from.channels, to.channels);
  adapted.changes.push_back(fmt::format("patch weights {} from {} to {} channel{}",
                                        to.channels == 1 ? "summed" : "spread", from.channels, to.channels,
                                        to.channels == 1 ? "" : "s"));
}

void adapt_head(const Pretrained& weights, const ViTConfig& to, const std::vector<std::string>& class_names,
                Adapted& adapted) {
  const size_t before = weights.model.classes;
  const bool other_names = !weights.class_names.empty() && !class_names.empty() && weights.class_names != class_names;
  if (weights.headless) {
    adapted.changes.push_back(fmt::format("a new head, for {} classes; the file has none", to.classes));
    return;
  }
  if (before == to.classes && !other_names) return;
  std::erase_if(adapted.parameters, [](const auto& entry) { return entry.first.starts_with("head"); });
  adapted.changes.push_back(before == to.classes
                                ? "a new head, for other classes"
                                : fmt::format("a new head, for {} classes instead of {}", to.classes, before));
}

}  // namespace

Adapted adapt(const Pretrained& weights, const ViTConfig& model, const std::vector<std::string>& class_names) {
  Adapted adapted{weights.parameters, {}};
  adapt_positions(weights.model, model, adapted);
  adapt_channels(weights.model, model, adapted);
  adapt_head(weights, model, class_names, adapted);
  return adapted;
}

std::vector<float> resized_positions(std::span<const float> positions, size_t prefix, size_t dim, size_t from,
                                     size_t to) {
  const auto grid = positions.begin() + static_cast<ptrdiff_t>(prefix * dim);
  std::vector<double> patches(grid, positions.end());
  patches = resized(patches, from, dim, from, to);    // along the rows
  patches = resized(patches, 1, to * dim, from, to);  // from row to row
  std::vector<float> result(positions.begin(), grid);
  std::transform(patches.begin(), patches.end(), std::back_inserter(result),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

}  // namespace vitcl::io
