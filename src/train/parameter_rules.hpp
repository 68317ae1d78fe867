#pragma once

#include <vector>

#include "vitcl/nn/parameters.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// What the configuration says of one parameter.
struct ParameterRule {
  double rate_factor = 1;  ///< 0: it stays as it is
  double weight_decay = 0;
  bool operator==(const ParameterRule&) const = default;
};

/// As timm has it: biases, norms, positions and the class token do not decay; with --layer-decay the rate of a layer is
/// that of the next one times the factor, where the head is the last layer, the final norm belongs to the last block
/// and the embeddings to one layer before the blocks.
ParameterRule parameter_rule(const TrainConfig& config, const nn::ParameterSpec& parameter);

/// ops::Update::factors for parameters in their flat layout. Throws UsageError where --freeze names no parameter, or
/// all.
std::vector<float> update_factors(const TrainConfig& config, const nn::Parameters& parameters);

}  // namespace vitcl::train
