#include "class_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "vitcl/backend/error.hpp"

namespace vitcl::train {
namespace {

constexpr std::string_view balanced = "balanced";

std::vector<float> balanced_weights(size_t classes, std::span<const int32_t> labels) {
  std::vector<size_t> images(classes);
  for (const int32_t label : labels) ++images[static_cast<size_t>(label)];
  const auto used = static_cast<double>(classes - static_cast<size_t>(std::ranges::count(images, size_t{0})));
  std::vector<float> weights(classes, 1);
  for (size_t c = 0; c < classes; ++c) {
    if (images[c] == 0) continue;
    weights[c] = static_cast<float>(static_cast<double>(labels.size()) / (used * static_cast<double>(images[c])));
  }
  return weights;
}

}  // namespace

std::vector<float> given_class_weights(const std::string& text) {
  std::vector<float> weights;
  if (text == balanced) return weights;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const char* end = part.data() + part.size();
    const auto [rest, error] = std::from_chars(part.data(), end, weights.emplace_back());
    if (error == std::errc() && rest == end && std::isfinite(weights.back()) && weights.back() > 0) continue;
    throw UsageError(fmt::format(
        "--class-weights: got \"{}\", want balanced, or a number above 0 for each class, as in 1,2.5,1", part));
  }
  return weights;
}

std::vector<float> class_weights(const TrainConfig& config, std::span<const int32_t> labels) {
  const size_t classes = config.model.classes;
  if (config.class_weights == balanced) return balanced_weights(classes, labels);
  if (config.class_weights.empty()) return std::vector<float>(classes, 1);
  std::vector<float> weights = given_class_weights(config.class_weights);
  if (weights.size() == classes) return weights;
  throw UsageError(fmt::format("--class-weights: got {} number(s), want {}, one for each of the model's classes",
                               weights.size(), classes));
}

}  // namespace vitcl::train
