#pragma once

#include <cstddef>

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// y = x wᵀ + bias and its three gradients. Leading axes of x and y are flattened into `rows`.
//   x, dx: (rows, in)   w, dw: (out, in)   bias, db: (out)   y, dy: (rows, out)
// x, dx, y and dy may each be f16.
// The product itself has several implementations (see gemm.hpp); the device and the shape decide.

/// Bytes of scratch that any of the functions below needs at most; 0 is possible. The tensor passed as `workspace` must
/// hold at least this much; what it holds between calls does not matter.
size_t linear_workspace_bytes(const DeviceCaps& caps, size_t rows, size_t in, size_t out);

/// y = x wᵀ + bias; `bias` may be null.
void linear_forward(Queue& queue, const Tensor& x, const Tensor& w, const Tensor* bias, const Tensor& y,
                    const Tensor& workspace);
/// dx = dy w.
void linear_backward_input(Queue& queue, const Tensor& dy, const Tensor& w, GradMode mode, const Tensor& dx,
                           const Tensor& workspace);
/// dw = dyᵀ x, summed over the rows in an order that depends on the shape alone.
void linear_backward_weight(Queue& queue, const Tensor& dy, const Tensor& x, GradMode mode, const Tensor& dw,
                            const Tensor& workspace);
/// db = the column sums of dy, in an order that depends on the shape alone.
void bias_backward(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& db, const Tensor& workspace);

}  // namespace vitcl::ops
