#pragma once

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// The exact GELU (Hendrycks, Gimpel 2016): y = x Phi(x) = x/2 (1 + erf(x / sqrt 2)). All tensors have x's shape.

void gelu_forward(Queue& queue, const Tensor& x, const Tensor& y);
void gelu_backward(Queue& queue, const Tensor& dy, const Tensor& x, GradMode mode, const Tensor& dx);

}  // namespace vitcl::ops
