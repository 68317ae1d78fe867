#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "vitcl/io/pretrained.hpp"

namespace vitcl::io {

/// Weights made to fit another model.
struct Adapted {
  nn::NamedTensors parameters;       ///< of the new model; those that must be drawn anew are missing
  std::vector<std::string> changes;  ///< what was changed, a phrase each; empty where the weights are taken as they are
};

/// The weights for a model that differs at most in image size, channels and classes; `class_names` are the classes that
/// the model is to tell apart.
///   - Learned positions are resized with resized_positions(); sines and cosines are left to be made anew.
///   - Patch weights of several channels are summed for one. For other numbers of channels they are repeated in turn
///     and scaled by old / new, so that equal channels give what they gave before. Both as timm's adapt_input_conv.
///   - The head is left out where the number of classes differs, or where both name their classes and name others.
Adapted adapt(const Pretrained& weights, const models::ViTConfig& model, const std::vector<std::string>& class_names);

/// Position embeddings (prefix + from * from, dim) for a grid of to * to patches: the rows in front stay, the others
/// are interpolated with Keys's cubic filter (a = -0.5), widened where the grid shrinks, whose weights are cut off at
/// the borders and normalised. That is timm's resample_abs_pos_embed: interpolate(mode="bicubic", antialias=True) in
/// PyTorch.
std::vector<float> resized_positions(std::span<const float> positions, size_t prefix, size_t dim, size_t from,
                                     size_t to);

}  // namespace vitcl::io
