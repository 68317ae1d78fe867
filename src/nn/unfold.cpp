#include "vitcl/ops/unfold.hpp"

#include <fmt/format.h>

#include <cmath>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

LayerPlan Unfold::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  const size_t tokens = inputs.size() == 1 && inputs[0].rank() == 3 ? inputs[0][1] : 0;
  const auto side = static_cast<size_t>(std::llround(std::sqrt(static_cast<double>(tokens))));
  const size_t grid = options_.grid(side);
  if (side * side != tokens || grid == 0) {
    throw ShapeError(
        fmt::format("[unfold] a square of tokens (B, side * side, channels) with room for a window of {} "
                    "is wanted, got {}",
                    options_.window, inputs.empty() ? "none" : inputs[0].to_string()));
  }
  LayerPlan plan;
  plan.output = {inputs[0][0], grid * grid, options_.window * options_.window * inputs[0][2]};
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
