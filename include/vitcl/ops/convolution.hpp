#pragma once

#include "vitcl/ops/unfold.hpp"

namespace vitcl::ops {

// A two-dimensional convolution over squares of tokens: y = unfold(x) wᵀ + bias and its gradients (that of the bias is
// linear.hpp's bias_backward()).
//   x, dx: (batch, side * side, in), a square row by row   w, dw: (out, window * window * in), flattened by row, column
//   and channel   bias: (out)   y, dy: (batch, grid * grid, out), grid as UnfoldOptions has it
// x, dx, y and dy may be f16, all of them or none. Two kinds of implementation: `tile_RxC` (the tiles of gemm.hpp)
// reads the windows where they lie, in a padded copy of x (of dy for dx, which takes a stride of 1); `windows` writes
// them out for the matrix product.

/// Bytes of scratch that any of the functions below needs at most for an x of that shape. What it holds between calls
/// does not matter. Throws ShapeError where the windows don't fit x.
size_t convolution_workspace_bytes(const DeviceCaps& caps, const Shape& x, size_t out, const UnfoldOptions& options);

/// `bias` may be null.
void convolution_forward(Queue& queue, const Tensor& x, const Tensor& w, const Tensor* bias,
                         const UnfoldOptions& options, const Tensor& y, const Tensor& workspace);
void convolution_backward_input(Queue& queue, const Tensor& dy, const Tensor& w, const UnfoldOptions& options,
                                GradMode mode, const Tensor& dx, const Tensor& workspace);
/// Summed over the windows in an order that depends on the shape and the implementation alone.
void convolution_backward_weight(Queue& queue, const Tensor& dy, const Tensor& x, const UnfoldOptions& options,
                                 GradMode mode, const Tensor& dw, const Tensor& workspace);

}  // namespace vitcl::ops
