#include "nn/encoder_block.hpp"

#include <fmt/format.h>

#include "vitcl/backend/error.hpp"

namespace vitcl::nn {

ops::EncoderBlockShape EncoderBlock::shape(const Shape& x) const {
  return {.batch = x[0],
          .tokens = x[1],
          .queries = config_.first_row_only ? 1 : x[1],
          .heads = config_.heads,
          .dim = x[2],
          .mlp_dim = config_.mlp_dim,
          .qkv_bias = config_.qkv_bias,
          .parts = config_.parts};
}

LayerPlan EncoderBlock::plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const {
  const size_t least = drops() ? 2 : 1;
  if (inputs.size() < least || inputs.size() > least + 1 || inputs[0].rank() != 3 ||
      inputs[0][2] % config_.heads != 0) {
    throw ShapeError(
        fmt::format("[encoder_block] tokens (B, T, dim) with dim a multiple of {} heads are wanted, got {}",
                    config_.heads, inputs.empty() ? "none" : inputs[0].to_string()));
  }
  const auto s = shape(inputs[0]);
  LayerPlan plan;
  plan.output = config_.first_row_only ? Shape{s.batch, s.dim} : inputs[0];
  plan.saved = {{"activations", {ops::encoder_block_saved_elements(s)}}};
  plan.saves_for_backward_only = true;
  plan.backward_reads_inputs = true;
  plan.parts = config_.parts;
  plan.workspace_bytes = ops::encoder_block_workspace_bytes(caps, s);
  plan.unsaved_workspace_bytes = ops::encoder_block_unsaved_workspace_bytes(caps, s);
  const auto products = ops::encoder_block_products(s);
  plan.forward_flops = products.linear + products.attention;
  plan.input_gradient_flops = products.linear + 2.5 * products.attention;
  plan.parameter_gradient_flops = products.linear;
  return plan;
}

std::shared_ptr<const Layer> EncoderBlock::first_row_only() const {
  Config config = config_;
  config.first_row_only = true;
  return std::make_shared<const EncoderBlock>(std::move(config));
}

std::shared_ptr<const Layer> EncoderBlock::in_parts(size_t parts) const {
  Config config = config_;
  config.parts = parts;
  return std::make_shared<const EncoderBlock>(std::move(config));
}

// The mask is optional, draws come last.
ops::EncoderBlockOptions EncoderBlock::options(const std::vector<Tensor>& inputs) const {
  const bool masked = inputs.size() > (drops() ? 2U : 1U);
  return {config_.scale,   config_.epsilon, masked ? &inputs[1] : nullptr,     config_.drop_path, config_.attention_use,
          config_.mlp_use, config_.dropout, drops() ? &inputs.back() : nullptr};
}

ops::BlockTensors EncoderBlock::tensors(const std::vector<Tensor>& parameters) const {
  ops::BlockTensors tensors;
  size_t next = 0;
  for (size_t p = 0; p < tensors.size(); ++p) {
    const bool missing = static_cast<ops::BlockParameter>(p) == ops::BlockParameter::qkv_bias && !config_.qkv_bias;
    if (!missing) tensors[p] = parameters[next++];
  }
  return tensors;
}

void EncoderBlock::forward(Queue& queue, const ForwardArgs& args) const {
  ops::encoder_block_forward(queue, shape(args.inputs[0].shape()), options(args.inputs), args.inputs[0],
                             tensors(args.parameters), args.output, args.saved.empty() ? Tensor() : args.saved[0],
                             args.workspace);
}

void EncoderBlock::backward(Queue& queue, const BackwardArgs& args) const {
  ops::encoder_block_backward(queue, shape(args.inputs[0].shape()), options(args.inputs), args.output_gradient,
                              args.inputs[0], tensors(args.parameters), args.saved[0], args.input_modes[0],
                              args.input_gradients[0], args.parameter_mode, tensors(args.parameter_gradients),
                              args.workspace);
}

}  // namespace vitcl::nn
