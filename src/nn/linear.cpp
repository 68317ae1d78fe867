#include "vitcl/ops/linear.hpp"

#include <fmt/format.h>

#include <cmath>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

Linear::Linear(size_t in, size_t out, bool bias) : in_(in), out_(out), bias_(bias) {}

std::vector<ParameterSpec> Linear::parameters() const {
  const float bound = 1.0F / std::sqrt(static_cast<float>(in_));
  std::vector<ParameterSpec> specs{{"weight", {out_, in_}, Init::uniform, bound}};
  if (bias_) specs.push_back({"bias", {out_}, Init::uniform, bound});
  return specs;
}

LayerPlan Linear::plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const {
  if (inputs.size() != 1 || inputs[0].last() != in_) {
    throw ShapeError(fmt::format("[linear] one input with {} features is wanted, got {}", in_,
                                 inputs.empty() ? "none" : inputs[0].to_string()));
  }
  auto sizes = inputs[0].sizes();
  sizes.back() = out_;
  const double macs = static_cast<double>(inputs[0].rows()) * static_cast<double>(in_ * out_);
  LayerPlan plan;
  plan.output = Shape(std::move(sizes));
  plan.backward_reads_inputs = true;
  plan.workspace_bytes = ops::linear_workspace_bytes(caps, inputs[0].rows(), in_, out_);
  plan.forward_flops = 2 * macs;
  plan.input_gradient_flops = 2 * macs;
  plan.parameter_gradient_flops = 2 * macs;
  return plan;
}

void Linear::forward(Queue& queue, const ForwardArgs& args) const {
  const Tensor* bias = bias_ ? &args.parameters[1] : nullptr;
  ops::linear_forward(queue, args.inputs[0], args.parameters[0], bias, args.output, args.workspace);
}

void Linear::backward(Queue& queue, const BackwardArgs& args) const {
  const Tensor& dy = args.output_gradient;
  ops::linear_backward_weight(queue, dy, args.inputs[0], args.parameter_mode, args.parameter_gradients[0],
                              args.workspace);
  if (bias_) ops::bias_backward(queue, dy, args.parameter_mode, args.parameter_gradients[1], args.workspace);
  if (args.input_gradients[0]) {
    ops::linear_backward_input(queue, dy, args.parameters[0], args.input_modes[0], args.input_gradients[0],
                               args.workspace);
  }
}

}  // namespace vitcl::nn
