#pragma once

#include <cstddef>

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// From tokens to one vector an image.   tokens, dtokens: (batch, tokens, dim)   y, dy: (batch, dim)

/// y = the first token (the class token).
void cls_pool_forward(Queue& queue, const Tensor& tokens, const Tensor& y);
/// In overwrite mode the other tokens' gradients are set to 0.
void cls_pool_backward(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& dtokens);

/// y = the mean of the visible tokens behind the first `leading`; none visible gives zeros.
/// mask: (batch, tokens - leading) u8, 1 = visible, or null.
void mean_pool_forward(Queue& queue, const Tensor& tokens, size_t leading, const Tensor* mask, const Tensor& y);
void mean_pool_backward(Queue& queue, const Tensor& dy, size_t leading, const Tensor* mask, GradMode mode,
                        const Tensor& dtokens);

}  // namespace vitcl::ops
