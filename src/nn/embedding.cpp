#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"
#include "vitcl/ops/patch_embed.hpp"

namespace vitcl::nn {

CutPatches::CutPatches(size_t patch, float pad_value) : patch_(patch), pad_value_(pad_value) {}

LayerPlan CutPatches::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 1 || inputs[0].rank() != 4 || inputs[0][2] != inputs[0][3] || patch_ == 0) {
    throw ShapeError(fmt::format("[cut_patches] square images (B, channels, side, side) are wanted, got {}",
                                 inputs.empty() ? "none" : inputs[0].to_string()));
  }
  const size_t grid = (inputs[0][2] + patch_ - 1) / patch_;
  LayerPlan plan;
  plan.output = {inputs[0][0], grid * grid, patch_ * patch_ * inputs[0][1]};
  return plan;
}

void CutPatches::forward(Queue& queue, const ForwardArgs& args) const {
  ops::cut_patches(queue, args.inputs[0], patch_, pad_value_, args.output);
}

void CutPatches::backward(Queue&, const BackwardArgs&) const {
  throw UsageError("[cut_patches] images have no gradient: nothing trainable may come before the patches");
}

EmbedTokens::EmbedTokens(size_t patches, size_t dim, bool class_token, Positions positions, float std)
    : patches_(patches), dim_(dim), class_token_(class_token), positions_(positions), std_(std) {}

std::vector<ParameterSpec> EmbedTokens::parameters() const {
  const bool learned = positions_ == Positions::learned;
  const size_t tokens = patches_ + (class_token_ ? 1 : 0);
  std::vector<ParameterSpec> specs{{"positions", {tokens, dim_}, learned ? Init::normal : Init::sincos, std_, learned}};
  if (class_token_) specs.push_back({"class_token", {dim_}, Init::normal, std_});
  return specs;
}

LayerPlan EmbedTokens::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 1 || inputs[0].rank() != 3 || inputs[0][1] != patches_ || inputs[0][2] != dim_) {
    throw ShapeError(fmt::format("[embed_tokens] projected patches (B, {}, {}) are wanted, got {}", patches_, dim_,
                                 inputs.empty() ? "none" : inputs[0].to_string()));
  }
  LayerPlan plan;
  plan.output = {inputs[0][0], patches_ + (class_token_ ? 1 : 0), dim_};
  plan.forward_flops = static_cast<double>(plan.output.elements());
  plan.parameter_gradient_flops = static_cast<double>(plan.output.elements());
  return plan;
}

void EmbedTokens::forward(Queue& queue, const ForwardArgs& args) const {
  const Tensor* class_token = class_token_ ? &args.parameters[1] : nullptr;
  ops::embed_tokens_forward(queue, args.inputs[0], class_token, args.parameters[0], args.output);
}

void EmbedTokens::backward(Queue& queue, const BackwardArgs& args) const {
  const Tensor* dclass_token = class_token_ ? &args.parameter_gradients[1] : nullptr;
  const Tensor* dpositions = args.parameter_gradients[0] ? &args.parameter_gradients[0] : nullptr;
  ops::embed_tokens_backward(queue, args.output_gradient, args.input_modes[0], args.input_gradients[0],
                             args.parameter_mode, dclass_token, dpositions);
}

}  // namespace vitcl::nn
