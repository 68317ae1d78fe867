#pragma once

#include <cstddef>

#include "vitcl/ops/dropout.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// Scaled dot-product multi-head self-attention (Vaswani et al. 2017), one fused kernel forward; backward recomputes the
// probabilities from the saved log-sum-exp (Dao 2022), so that no (tokens, tokens) matrix is ever stored.
//   qkv, dqkv: (batch, tokens, 3 * dim), each row holds query, key and value; head h owns columns [h D, (h+1) D) of
//   each, D = dim / heads out, dout: (batch, tokens, dim) logsumexp: (batch, heads, tokens) mask:      (batch, tokens -
//   leading) u8, 1 = visible; the first `leading` tokens (the CLS token) always are
// A masked key gets weight 0; a masked query's output row and logsumexp are 0 and pass no gradient.

struct AttentionOptions {
  size_t heads = 1;
  float scale = 1;                ///< multiplies query . key
  const Tensor* mask = nullptr;   ///< null: everything is visible
  DropoutOptions dropout = {};    ///< of the probabilities, after the softmax, as PyTorch and timm have it
  const Tensor* draws = nullptr;  ///< (batch, 4) i32 of dropout.hpp, where the rate is above 0
};

void attention_forward(Queue& queue, const Tensor& qkv, const AttentionOptions& options, const Tensor& out,
                       const Tensor& logsumexp);

/// Bytes of scratch for attention_backward.
size_t attention_workspace_bytes(size_t batch, size_t tokens, size_t heads);

void attention_backward(Queue& queue, const Tensor& dout, const Tensor& qkv, const Tensor& out, const Tensor& logsumexp,
                        const AttentionOptions& options, GradMode mode, const Tensor& dqkv, const Tensor& workspace);

}  // namespace vitcl::ops
