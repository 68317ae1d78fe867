#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

LayerPlan Dropout::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 2 || inputs[0].rank() == 0 || inputs[1] != Shape{inputs[0][0], 4}) {
    throw ShapeError("[dropout] a value (B, ...) and draws (B, 4) are wanted");
  }
  LayerPlan plan;
  plan.output = inputs[0];
  plan.forward_flops = plan.input_gradient_flops = static_cast<double>(inputs[0].elements());
  return plan;
}

void Dropout::forward(Queue& queue, const ForwardArgs& args) const {
  ops::dropout_forward(queue, args.inputs[0], args.inputs[1], options_, args.output);
}

void Dropout::backward(Queue& queue, const BackwardArgs& args) const {
  if (!args.input_gradients[0]) return;
  ops::dropout_backward(queue, args.output_gradient, args.inputs[1], options_, args.input_modes[0],
                        args.input_gradients[0]);
}

}  // namespace vitcl::nn
