#pragma once

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// The two ends of the patch embedding (Dosovitskiy et al. 2020); the projection between them is a linear op.
//   images:  (batch, channels, side, side)
//   patches: (batch, grid * grid, patch * patch * channels), grid = ceil(side / patch); flattened in the order (p1 p2
//   c) tokens:  (batch, leading + grid * grid, dim), leading = 1 with a class token and 0 without

/// Cuts images into patches. A side that is no multiple of `patch` is padded with `pad_value`, centred, the extra pixel
/// right and below. Images are data: they have no gradient.
void cut_patches(Queue& queue, const Tensor& images, size_t patch, float pad_value, const Tensor& patches);

/// tokens = [class_token; projected] + positions.
///   projected: (batch, grid * grid, dim)   class_token: (dim) or null   positions: (leading + grid * grid, dim)
void embed_tokens_forward(Queue& queue, const Tensor& projected, const Tensor* class_token, const Tensor& positions,
                          const Tensor& tokens);
/// `dclass_token` and `dpositions` may be null (no class token; fixed positions). Sums over the batch run in a fixed
/// order.
void embed_tokens_backward(Queue& queue, const Tensor& dtokens, GradMode input_mode, const Tensor& dprojected,
                           GradMode parameter_mode, const Tensor* dclass_token, const Tensor* dpositions);

}  // namespace vitcl::ops
