#include "vitcl/ops/attention.hpp"

#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

Attention::Attention(size_t heads, float scale, ops::DropoutOptions dropout)
    : heads_(heads), scale_(scale), dropout_(dropout) {}

// The mask is optional, draws come last.
ops::AttentionOptions Attention::options(const std::vector<Tensor>& inputs) const {
  const bool masked = inputs.size() > (drops() ? 2U : 1U);
  return {heads_, scale_, masked ? &inputs[1] : nullptr, dropout_, drops() ? &inputs.back() : nullptr};
}

LayerPlan Attention::plan(const DeviceCaps&, const std::vector<Shape>& inputs) const {
  const size_t least = drops() ? 2 : 1;
  if (inputs.size() < least || inputs.size() > least + 1 || inputs[0].rank() != 3 || inputs[0][2] % (3 * heads_) != 0) {
    throw ShapeError(
        fmt::format("[attention] queries, keys and values (B, T, 3 dim) with dim a multiple of {} heads "
                    "are wanted, got {}",
                    heads_, inputs.empty() ? "none" : inputs[0].to_string()));
  }
  const size_t batch = inputs[0][0], tokens = inputs[0][1], dim = inputs[0][2] / 3;
  const double products = 2.0 * static_cast<double>(batch * tokens * tokens * dim);
  LayerPlan plan;
  plan.output = {batch, tokens, dim};
  plan.saved = {{"logsumexp", {batch, heads_, tokens}}};
  plan.backward_reads_inputs = true;
  plan.backward_reads_output = true;
  plan.workspace_bytes = ops::attention_workspace_bytes(batch, tokens, heads_);
  plan.forward_flops = 2 * products;         // q k and p v
  plan.input_gradient_flops = 5 * products;  // q k again, dp, dv, dq, dk
  return plan;
}

void Attention::forward(Queue& queue, const ForwardArgs& args) const {
  ops::attention_forward(queue, args.inputs[0], options(args.inputs), args.output, args.saved[0]);
}

void Attention::backward(Queue& queue, const BackwardArgs& args) const {
  if (!args.input_gradients[0]) return;
  ops::attention_backward(queue, args.output_gradient, args.inputs[0], args.output, args.saved[0], options(args.inputs),
                          args.input_modes[0], args.input_gradients[0], args.workspace);
}

}  // namespace vitcl::nn
