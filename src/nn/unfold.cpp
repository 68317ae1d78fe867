#include "vitcl/ops/unfold.hpp"

#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

LayerPlan Unfold::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  LayerPlan plan;
  plan.output = options_.windows(inputs.size() == 1 ? inputs[0] : Shape());
  plan.input_gradient_flops = static_cast<double>(plan.output.elements());
  return plan;
}

void Unfold::forward(Queue& queue, const ForwardArgs& args) const {
  ops::unfold_forward(queue, args.inputs[0], options_, args.output);
}

void Unfold::backward(Queue& queue, const BackwardArgs& args) const {
  if (!args.input_gradients[0]) return;
  ops::unfold_backward(queue, args.output_gradient, options_, args.input_modes[0], args.input_gradients[0]);
}

}  // namespace vitcl::nn
