#pragma once

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// The windows of a convolution (im2col): with a linear op over them they make a convolution.
//   x:       (batch, side * side, channels), a square of tokens, row by row
//   windows: (batch, grid * grid, window * window * channels), each flattened in the order (row, column, channel)

/// How windows lie over a square.
struct UnfoldOptions {
  size_t window = 3;   ///< side of a window, in tokens
  size_t stride = 1;   ///< tokens from one window to the next
  size_t padding = 0;  ///< tokens around the square, of the value `pad_value`; less than a window
  float pad_value = 0;

  /// Windows along a side, (side + 2 padding - window) / stride + 1; 0 where none fits.
  size_t grid(size_t side) const;
  /// The shape of all windows over x. Throws ShapeError where x is no square of tokens, none fits or the padding is
  /// no less than a window.
  Shape windows(const Shape& x) const;
};

/// Copies every window.
void unfold_forward(Queue& queue, const Tensor& x, const UnfoldOptions& options, const Tensor& windows);
/// dx of a token is the sum of its gradients in all windows that hold it, in their order.
void unfold_backward(Queue& queue, const Tensor& dwindows, const UnfoldOptions& options, GradMode mode,
                     const Tensor& dx);

}  // namespace vitcl::ops
