#include "hold_out.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vitcl::data {
namespace {

void append(Split& target, const Split& source, size_t image) {
  const auto pixels = source.pixels.begin() + static_cast<std::ptrdiff_t>(image * source.image_bytes());
  target.pixels.insert(target.pixels.end(), pixels, pixels + static_cast<std::ptrdiff_t>(source.image_bytes()));
  target.labels.push_back(source.labels[image]);
  ++target.count;
}

}  // namespace

std::vector<bool> held_out(std::span<const int32_t> labels, size_t classes, double part) {
  std::vector<size_t> wanted(classes);
  for (const int32_t label : labels) ++wanted[static_cast<size_t>(label)];
  for (size_t& count : wanted) {
    const auto share = static_cast<size_t>(std::lround(static_cast<double>(count) * part));
    count = count < 2 ? 0 : std::clamp(share, size_t{1}, count - 1);
  }
  std::vector<bool> held;
  for (const int32_t label : labels) {
    size_t& count = wanted[static_cast<size_t>(label)];
    held.push_back(count > 0);
    if (count > 0) --count;
  }
  return held;
}

void hold_out(Dataset& dataset, double part) {
  if (part == 0) return;
  const Split all = std::move(dataset.train);
  dataset.train = dataset.test = {.count = 0, .channels = all.channels, .side = all.side, .pixels = {}, .labels = {}};
  const std::vector<bool> held = held_out(all.labels, dataset.classes, part);
  for (size_t i = 0; i < all.count; ++i) append(held[i] ? dataset.test : dataset.train, all, i);
}

}  // namespace vitcl::data
