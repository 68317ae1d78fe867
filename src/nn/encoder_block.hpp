#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vitcl/nn/layer.hpp"
#include "vitcl/ops/encoder_block.hpp"

namespace vitcl::nn {

/// What a graph's LayerNorm - Linear - Attention - Linear - Add - LayerNorm - Linear - GELU - Linear - Add is fused
/// into: (B, T, dim) -> (B, T, dim), or (B, dim) where the first row alone is read. With a DropPath before both
/// sums or none. An optional second input is attention's mask; where paths or probabilities are dropped, the last
/// input is "draws".
class EncoderBlock final : public Layer {
 public:
  struct Config {
    size_t heads, mlp_dim;
    float scale, epsilon;
    bool qkv_bias;
    std::vector<ParameterSpec>
        parameters;  ///< in the order of ops::BlockParameter, without a qkv_bias that isn't there
    bool first_row_only = false;
    size_t parts = 0;  ///< see ops::EncoderBlockShape
    float drop_path = 0;
    uint32_t attention_use = 0, mlp_use = 0;  ///< see ops::EncoderBlockOptions
    ops::DropoutOptions dropout = {};         ///< of attention's probabilities
  };
  explicit EncoderBlock(Config config) : config_(std::move(config)) {}
  std::string kind() const override { return "EncoderBlock"; }
  std::vector<ParameterSpec> parameters() const override { return config_.parameters; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  std::shared_ptr<const Layer> first_row_only() const override;
  std::shared_ptr<const Layer> in_parts(size_t parts) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

  ops::EncoderBlockShape shape(const Shape& x) const;

 private:
  bool drops() const { return config_.drop_path > 0 || config_.dropout.rate > 0; }
  ops::EncoderBlockOptions options(const std::vector<Tensor>& inputs) const;
  ops::BlockTensors tensors(const std::vector<Tensor>& parameters) const;
  Config config_;
};

}  // namespace vitcl::nn
