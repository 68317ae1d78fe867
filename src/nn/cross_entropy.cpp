#include "vitcl/ops/cross_entropy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"
#include "vitcl/ops/add.hpp"

namespace vitcl::nn {

CrossEntropy::CrossEntropy(float label_smoothing, size_t mean_over)
    : label_smoothing_(label_smoothing), mean_over_(mean_over) {}

LayerPlan CrossEntropy::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  const bool fits = inputs.size() >= 2 && inputs.size() <= 3 && inputs[0].rank() == 2 &&
                    inputs[1] == Shape{inputs[0][0]} && (inputs.size() == 2 || inputs[2] == inputs[0]);
  if (!fits) {
    std::vector<std::string> shapes;
    for (const Shape& shape : inputs) shapes.push_back(shape.to_string());
    throw ShapeError(fmt::format(
        "[cross_entropy] logits (B, classes), labels (B) and perhaps targets like logits are wanted, got {}",
        fmt::join(shapes, ", ")));
  }
  LayerPlan plan;
  plan.output = {inputs[0][0]};
  plan.saved = {{"correct", {inputs[0][0]}, DType::i32}, {"logits_gradient", inputs[0]}};
  plan.forward_flops = 5 * static_cast<double>(inputs[0].elements());
  return plan;
}

void CrossEntropy::forward(Queue& queue, const ForwardArgs& args) const {
  if (args.inputs.size() == 3) {
    ops::soft_cross_entropy(queue, args.inputs[0], args.inputs[2], args.inputs[1], args.output, args.saved[0],
                            &args.saved[1], mean_over_, args.loss_scale);
  } else {
    ops::cross_entropy(queue, args.inputs[0], args.inputs[1], label_smoothing_, args.output, args.saved[0],
                       &args.saved[1], mean_over_, args.loss_scale);
  }
}

// Forward has already computed the gradient of the mean loss.
void CrossEntropy::backward(Queue& queue, const BackwardArgs& args) const {
  if (!args.input_gradients[0]) return;
  ops::add_backward(queue, args.saved[1], args.input_modes[0], args.input_gradients[0]);
}

}  // namespace vitcl::nn
