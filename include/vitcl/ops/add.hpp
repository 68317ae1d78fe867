#pragma once

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// Elementwise sum, the residual connection: y = a + b. All tensors have the same shape.

void add_forward(Queue& queue, const Tensor& a, const Tensor& b, const Tensor& y);
/// The gradient of either summand: dx = dy.
void add_backward(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& dx);

}  // namespace vitcl::ops
