#include "vitcl/ops/convolution.hpp"

#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"
#include "vitcl/ops/linear.hpp"

namespace vitcl::nn {

std::vector<ParameterSpec> Convolution::parameters() const {
  return Linear(options_.window * options_.window * in_, out_).parameters();
}

LayerPlan Convolution::plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 1 || inputs[0].last() != in_) {
    throw ShapeError(fmt::format("[convolution] one input with {} channels is wanted, got {}", in_,
                                 inputs.empty() ? "none" : inputs[0].to_string()));
  }
  const Shape windows = options_.windows(inputs[0]);
  const double macs = static_cast<double>(windows.elements()) * static_cast<double>(out_);
  LayerPlan plan;
  plan.output = {windows[0], windows[1], out_};
  plan.backward_reads_inputs = true;
  plan.workspace_bytes = ops::convolution_workspace_bytes(caps, inputs[0], out_, options_);
  plan.forward_flops = 2 * macs;
  plan.input_gradient_flops = 2 * macs;
  plan.parameter_gradient_flops = 2 * macs;
  return plan;
}

void Convolution::forward(Queue& queue, const ForwardArgs& args) const {
  ops::convolution_forward(queue, args.inputs[0], args.parameters[0], &args.parameters[1], options_, args.output,
                           args.workspace);
}

void Convolution::backward(Queue& queue, const BackwardArgs& args) const {
  const Tensor& dy = args.output_gradient;
  ops::convolution_backward_weight(queue, dy, args.inputs[0], options_, args.parameter_mode,
                                   args.parameter_gradients[0], args.workspace);
  ops::bias_backward(queue, dy, args.parameter_mode, args.parameter_gradients[1], args.workspace);
  if (!args.input_gradients[0]) return;
  ops::convolution_backward_input(queue, dy, args.parameters[0], options_, args.input_modes[0], args.input_gradients[0],
                                  args.workspace);
}

}  // namespace vitcl::nn
