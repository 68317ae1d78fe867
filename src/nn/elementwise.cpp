#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"
#include "vitcl/ops/add.hpp"
#include "vitcl/ops/gelu.hpp"

namespace vitcl::nn {

LayerPlan Gelu::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 1) throw ShapeError(fmt::format("[gelu] one input is wanted, got {}", inputs.size()));
  LayerPlan plan;
  plan.output = inputs[0];
  plan.backward_reads_inputs = true;
  plan.forward_flops = 14 * static_cast<double>(inputs[0].elements());
  plan.input_gradient_flops = 20 * static_cast<double>(inputs[0].elements());
  return plan;
}

void Gelu::forward(Queue& queue, const ForwardArgs& args) const {
  ops::gelu_forward(queue, args.inputs[0], args.output);
}

void Gelu::backward(Queue& queue, const BackwardArgs& args) const {
  if (!args.input_gradients[0]) return;
  ops::gelu_backward(queue, args.output_gradient, args.inputs[0], args.input_modes[0], args.input_gradients[0]);
}

LayerPlan Add::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 2 || inputs[0] != inputs[1]) {
    throw ShapeError(fmt::format("[add] two inputs of one shape are wanted, got {}",
                                 inputs.size() == 2 ? inputs[0].to_string() + " and " + inputs[1].to_string()
                                                    : std::to_string(inputs.size()) + " inputs"));
  }
  LayerPlan plan;
  plan.output = inputs[0];
  plan.gradient_passes_through = true;
  plan.forward_flops = static_cast<double>(inputs[0].elements());
  return plan;
}

void Add::forward(Queue& queue, const ForwardArgs& args) const {
  ops::add_forward(queue, args.inputs[0], args.inputs[1], args.output);
}

void Add::backward(Queue& queue, const BackwardArgs& args) const {
  for (size_t i = 0; i < args.input_gradients.size(); ++i) {
    if (!args.input_gradients[i]) continue;
    ops::add_backward(queue, args.output_gradient, args.input_modes[i], args.input_gradients[i]);
  }
}

}  // namespace vitcl::nn
