#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "vitcl/ops/dropout.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// A whole pre-norm Transformer encoder block (Vaswani et al. 2017; Dosovitskiy et al. 2020), one launch each way:
//   r = x + a projection(attention(qkv(norm1(x))))      y = r + m down(gelu(up(norm2(r))))
//   x, dx: (batch, tokens, dim)   y, dy: (batch, queries, dim)   mask: (batch, tokens - leading) u8, as for attention
// a and m are 1, or an image's factors of stochastic depth. queries is tokens, or 1 where only the first row of each
// image is read: then the others are not computed.

struct EncoderBlockShape {
  size_t batch, tokens, queries, heads, dim, mlp_dim;
  bool qkv_bias = false;
  size_t parts = 0;            ///< in which the parameters' gradients are summed (ops/parts.hpp); 0: by the batch alone
  DType storage = DType::f32;  ///< of x and y; f16 is refused
};

/// The parameters, or their gradients, in this order. qkv_bias is empty where the shape has none.
enum class BlockParameter : size_t {
  norm1_weight,       ///< (dim)
  norm1_bias,         ///< (dim)
  qkv_weight,         ///< (3 dim, dim)
  qkv_bias,           ///< (3 dim)
  projection_weight,  ///< (dim, dim)
  projection_bias,    ///< (dim)
  norm2_weight,       ///< (dim)
  norm2_bias,         ///< (dim)
  up_weight,          ///< (mlp_dim, dim)
  up_bias,            ///< (mlp_dim)
  down_weight,        ///< (dim, mlp_dim)
  down_bias,          ///< (dim)
};
inline constexpr size_t block_parameter_count = 12;
using BlockTensors = std::array<Tensor, block_parameter_count>;

/// The shape of a parameter; empty where the block has none of it.
Shape block_parameter_shape(const EncoderBlockShape& shape, BlockParameter parameter);

struct EncoderBlockOptions {
  float scale = 1;                          ///< multiplies query . key
  float epsilon = 1e-5F;                    ///< of both norms
  const Tensor* mask = nullptr;             ///< null: everything is visible
  float drop_path = 0;                      ///< the rate of stochastic depth on both branches
  uint32_t attention_use = 0, mlp_use = 0;  ///< DropoutOptions::use of the two
  DropoutOptions dropout = {};              ///< of attention's probabilities
  const Tensor* draws = nullptr;            ///< (batch, 4) i32 of dropout.hpp, where a rate is above 0
};

/// Why the device or the shape can't have the block in one launch, if so. The batch does not matter.
std::optional<std::string> refuse_encoder_block(const DeviceCaps& caps, const EncoderBlockShape& shape);

/// Floating-point operations forward. Backward takes twice those of the linear products, 2.5 times attention's.
struct BlockProducts {
  double linear, attention;
};
BlockProducts encoder_block_products(const EncoderBlockShape& shape);

/// Floats that forward leaves for backward, and bytes of scratch for either.
size_t encoder_block_saved_elements(const EncoderBlockShape& shape);
size_t encoder_block_workspace_bytes(const DeviceCaps& caps, const EncoderBlockShape& shape);

/// Bytes of scratch for a forward that leaves nothing.
size_t encoder_block_unsaved_workspace_bytes(const DeviceCaps& caps, const EncoderBlockShape& shape);

/// `saved` may be empty: no backward follows, and the workspace is of encoder_block_unsaved_workspace_bytes(). Throws
/// UsageError where refuse_encoder_block() has a reason.
void encoder_block_forward(Queue& queue, const EncoderBlockShape& shape, const EncoderBlockOptions& options,
                           const Tensor& x, const BlockTensors& parameters, const Tensor& y, const Tensor& saved,
                           const Tensor& workspace);

/// The parameters' gradients are summed over each of the shape's parts of the batch, and then in a binary tree. `dx`
/// may be empty: nobody wants it.
void encoder_block_backward(Queue& queue, const EncoderBlockShape& shape, const EncoderBlockOptions& options,
                            const Tensor& dy, const Tensor& x, const BlockTensors& parameters, const Tensor& saved,
                            GradMode input_mode, const Tensor& dx, GradMode parameter_mode,
                            const BlockTensors& gradients, const Tensor& workspace);

}  // namespace vitcl::ops
