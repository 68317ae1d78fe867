#include "parameter_rules.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "vitcl/backend/error.hpp"
#include "vitcl/ops/optimizer.hpp"

namespace vitcl::train {
namespace {

bool matches(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

bool is_frozen(const TrainConfig& config, const nn::ParameterSpec& parameter) {
  if (!parameter.trainable) return true;
  return std::ranges::any_of(config.freeze, [&](const auto& pattern) { return matches(pattern, parameter.name); });
}

bool decays(const nn::ParameterSpec& parameter) {
  return parameter.shape.rank() > 1 && !parameter.name.starts_with("tokens.");
}

/// Counted from the head, which is 0.
size_t layers_behind(const std::string& name, size_t depth) {
  constexpr std::string_view blocks = "blocks.";
  for (const std::string_view first : {"patch_embedding.", "stem.", "tokens."}) {
    if (name.starts_with(first)) return depth + 1;
  }
  if (name.starts_with("final_norm.")) return 1;
  if (!name.starts_with(blocks)) return 0;
  size_t block = 0;
  std::from_chars(name.data() + blocks.size(), name.data() + name.size(), block);
  return depth - block;
}

void require_sense(const TrainConfig& config, const std::vector<nn::ParameterSpec>& parameters) {
  for (const std::string& pattern : config.freeze) {
    if (std::ranges::any_of(parameters, [&](const auto& parameter) { return matches(pattern, parameter.name); })) {
      continue;
    }
    throw UsageError(
        fmt::format("--freeze: no parameter is called \"{}\"; want a name or a pattern with * and ?, as "
                    "in blocks.0.*; `vitcl model` lists the layers",
                    pattern));
  }
  if (std::ranges::all_of(parameters, [&](const auto& parameter) { return is_frozen(config, parameter); })) {
    throw UsageError(fmt::format("--freeze {}: nothing is left to train", fmt::join(config.freeze, ",")));
  }
}

}  // namespace

ParameterRule parameter_rule(const TrainConfig& config, const nn::ParameterSpec& parameter) {
  if (is_frozen(config, parameter)) return {.rate_factor = 0};
  const auto exponent = static_cast<double>(layers_behind(parameter.name, config.model.depth));
  return {.rate_factor = std::pow(config.layer_decay, exponent),
          .weight_decay = decays(parameter) ? config.weight_decay : 0};
}

std::vector<float> update_factors(const TrainConfig& config, const nn::Parameters& parameters) {
  require_sense(config, parameters.specs());
  nn::NamedTensors rates, decay;
  for (const nn::ParameterSpec& spec : parameters.specs()) {
    const ParameterRule rule = parameter_rule(config, spec);
    rates[spec.name].assign(spec.shape.elements(), static_cast<float>(rule.rate_factor));
    decay[spec.name].assign(spec.shape.elements(), static_cast<float>(rule.weight_decay));
  }
  // Parameters start at multiples of a run: OpenCL aligns buffers for its largest vectors, of 16 numbers.
  const std::vector<float> flat_rates = parameters.join(rates), flat_decay = parameters.join(decay);
  std::vector<float> factors;
  for (size_t i = 0; i < flat_rates.size(); i += ops::factor_run) {
    factors.insert(factors.end(), {flat_rates[i], flat_decay[i]});
  }
  return factors;
}

}  // namespace vitcl::train
