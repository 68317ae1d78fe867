#include "vitcl/ops/layer_norm.hpp"

#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

LayerNorm::LayerNorm(size_t dim, float epsilon) : dim_(dim), epsilon_(epsilon) {}

std::vector<ParameterSpec> LayerNorm::parameters() const {
  return {{"weight", {dim_}, Init::ones}, {"bias", {dim_}, Init::zeros}};
}

LayerPlan LayerNorm::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 1 || inputs[0].last() != dim_) {
    throw ShapeError(fmt::format("[layer_norm] one input with {} features is wanted, got {}", dim_,
                                 inputs.empty() ? "none" : inputs[0].to_string()));
  }
  const size_t rows = inputs[0].rows();
  const auto elements = static_cast<double>(inputs[0].elements());
  LayerPlan plan;
  plan.output = inputs[0];
  plan.saved = {{"mean", {rows}}, {"rstd", {rows}}};
  plan.backward_reads_inputs = true;
  plan.workspace_bytes = ops::layer_norm_workspace_bytes(rows, dim_);
  plan.forward_flops = 8 * elements;
  plan.input_gradient_flops = 11 * elements;
  plan.parameter_gradient_flops = 4 * elements;
  return plan;
}

void LayerNorm::forward(Queue& queue, const ForwardArgs& args) const {
  ops::layer_norm_forward(queue, args.inputs[0], args.parameters[0], args.parameters[1], epsilon_, args.output,
                          args.saved[0], args.saved[1]);
}

void LayerNorm::backward(Queue& queue, const BackwardArgs& args) const {
  ops::layer_norm_backward(queue, args.output_gradient, args.inputs[0], args.parameters[0], args.saved[0],
                           args.saved[1], args.input_modes[0], args.input_gradients[0], args.parameter_mode,
                           args.parameter_gradients[0], args.parameter_gradients[1], args.workspace);
}

}  // namespace vitcl::nn
