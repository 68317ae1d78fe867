#include "vitcl/ops/pool.hpp"

#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {
namespace {

LayerPlan plan_pool(const char* op, const std::vector<Shape>& inputs) {
  if (inputs.empty() || inputs[0].rank() != 3) {
    throw ShapeError(
        fmt::format("[{}] tokens (B, T, dim) are wanted, got {}", op, inputs.empty() ? "none" : inputs[0].to_string()));
  }
  LayerPlan plan;
  plan.output = {inputs[0][0], inputs[0][2]};
  return plan;
}

const Tensor* mask_of(const std::vector<Tensor>& inputs) { return inputs.size() > 1 ? &inputs[1] : nullptr; }

}  // namespace

LayerPlan ClsPool::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  return plan_pool("cls_pool", inputs);
}

void ClsPool::forward(Queue& queue, const ForwardArgs& args) const {
  ops::cls_pool_forward(queue, args.inputs[0], args.output);
}

void ClsPool::backward(Queue& queue, const BackwardArgs& args) const {
  if (!args.input_gradients[0]) return;
  ops::cls_pool_backward(queue, args.output_gradient, args.input_modes[0], args.input_gradients[0]);
}

MeanPool::MeanPool(size_t leading) : leading_(leading) {}

LayerPlan MeanPool::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  LayerPlan plan = plan_pool("mean_pool", inputs);
  if (inputs[0][1] <= leading_) {
    throw ShapeError(fmt::format("[mean_pool] {} has no token behind the first {}", inputs[0].to_string(), leading_));
  }
  plan.forward_flops = static_cast<double>(inputs[0].elements());
  plan.input_gradient_flops = static_cast<double>(inputs[0].elements());
  return plan;
}

void MeanPool::forward(Queue& queue, const ForwardArgs& args) const {
  ops::mean_pool_forward(queue, args.inputs[0], leading_, mask_of(args.inputs), args.output);
}

void MeanPool::backward(Queue& queue, const BackwardArgs& args) const {
  if (!args.input_gradients[0]) return;
  ops::mean_pool_backward(queue, args.output_gradient, leading_, mask_of(args.inputs), args.input_modes[0],
                          args.input_gradients[0]);
}

}  // namespace vitcl::nn
