#pragma once

#include <cstddef>

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// Layer normalisation over the innermost axis (Ba, Kiros, Hinton 2016), biased variance:
//   y = (x - mean) * rstd * weight + bias,  rstd = 1 / sqrt(var + epsilon)
//   x, dx, y, dy: (rows, dim)   weight, bias, dweight, dbias: (dim)   mean, rstd: (rows)

void layer_norm_forward(Queue& queue, const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon,
                        const Tensor& y, const Tensor& mean, const Tensor& rstd);

/// Bytes of scratch for the weight gradients' partial sums.
size_t layer_norm_workspace_bytes(size_t rows, size_t dim);

/// `input_mode` governs dx, `parameter_mode` dweight and dbias. `dx` may be empty: nobody wants it.
void layer_norm_backward(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, GradMode input_mode, const Tensor& dx, GradMode parameter_mode,
                         const Tensor& dweight, const Tensor& dbias, const Tensor& workspace);

}  // namespace vitcl::ops
