#include "vitcl/ops/convolution.hpp"

#include <algorithm>

#include "checks.hpp"
#include "gemm_register_tile.hpp"
#include "launch.hpp"
#include "scratch.hpp"
#include "vitcl/ops/implementation.hpp"
#include "vitcl/ops/linear.hpp"
#include "vitcl/tensor/square.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "convolution", written_windows = "windows";

/// A convolution as one of its three passes runs it: over padded squares of `side` * `side` tokens with `in` channels.
struct Squares {
  size_t batch, side, in, grid, out;
  size_t windows() const { return batch * grid * grid; }
};

/// The sizes before any padding. Throws ShapeError where the tensors don't fit together.
Squares check(std::string_view x_name, const Tensor& x, std::string_view w_name, const Tensor& w,
              std::string_view y_name, const Tensor& y, const UnfoldOptions& options) {
  const Shape windows = options.windows(x.shape());
  const std::string reason = fmt::format("for {} {}", x_name, x.shape().to_string());
  expect_rank(op, w_name, w, 2);
  const size_t out = w.shape()[0], side = *side_of_square(x.shape()[1]);
  expect_shape(op, w_name, w, {out, windows[2]}, reason);
  expect_shape(op, y_name, y, {windows[0], windows[1], out}, reason, storage_of(op, x_name, x));
  return {windows[0], side, x.shape()[2], options.grid(side), out};
}

/// Throws ShapeError where the workspace is too small.
Scratch scratch_in(Device& device, const Tensor& workspace, const Squares& sizes, const UnfoldOptions& options) {
  const Shape x{sizes.batch, sizes.side * sizes.side, sizes.in};
  expect_bytes(op, "the workspace", workspace, convolution_workspace_bytes(device.caps(), x, sizes.out, options));
  return {workspace.buffer(), device.caps().buffer_alignment};
}

Tensor take(Scratch& scratch, const Shape& shape, DType dtype) {
  return {scratch.take(shape.elements() * size_of(dtype)), shape, dtype};
}

/// All that is left, of whole floats; an empty tensor where nothing is.
Tensor take_rest(Scratch& scratch) {
  const Shape floats{scratch.left() / sizeof(float)};
  return floats.elements() == 0 ? Tensor() : take(scratch, floats, DType::f32);
}

/// x (batch, side * side, channels) with `border` tokens around every square.
Tensor padded(Queue& queue, const Tensor& x, size_t side, size_t border, float pad_value, Scratch& scratch) {
  if (border == 0) return x;
  const UnfoldOptions whole{.window = side + 2 * border, .padding = border, .pad_value = pad_value};
  const Tensor copy = take(scratch, whole.windows(x.shape()), x.dtype());
  unfold_forward(queue, x, whole, copy);
  return copy;
}

/// How the weights' gradient is dealt, which is a product dyᵀ windows whose panels each lie in one row of the windows.
GemmShape weight_gradient(const Squares& s, size_t window, const RegisterTile& tile) {
  const size_t width = 16 * tile.vectors;
  return {GemmForm::tn, s.out, window * align_up(window * s.in, width), s.windows()};
}

/// The tile that all passes take, or none where windows are written out.
const RegisterTile* choose_tile(Device& device, const Squares& s, const UnfoldOptions& o, DType storage) {
  const std::string sizes =
      fmt::format("{}x{}x{}x{}x{}x{}x{}", s.batch, s.side, s.side + 2 * o.padding, s.in, s.out, o.window, o.stride);
  const auto candidates = [&] {
    std::vector<Candidate> all = register_tile_candidates(device.caps(), refuse_register_tiles(device.caps(), storage));
    const bool short_rows = o.window * s.in < 16;  // most of a panel would be empty
    all.insert(short_rows ? all.begin() : all.end(), {std::string(written_windows), {}});
    return all;
  };
  const std::string& name = choose_implementation(device, {std::string(op), shape_name(sizes, storage)}, candidates);
  return name == written_windows ? nullptr : &register_tile(name);
}

/// y = the windows of x, padded already, times w, as cl/convolution.cl has it.
void convolve(Queue& queue, const RegisterTile& tile, const Tensor& x, const Squares& s, size_t window, size_t stride,
              const Tensor& w, const Tensor* bias, bool flipped, GradMode mode, const Tensor& y) {
  const auto integer = [](size_t size) { return to_int(op, "a size", size); };
  const GemmShape shape{GemmForm::nt, s.windows(), s.out, window * window * s.in};
  const RegisterTileSplit split = split_register_tiles(tile, shape, queue.device().caps().compute_units);
  const double products = static_cast<double>(shape.m * shape.n) * static_cast<double>(shape.k);
  queue.launch(queue.device().kernel(op, "convolve", spec_of(tile)),
               {{split.row_blocks, split.panel_blocks},
                {1, 1},
                2 * products,
                static_cast<double>(x.bytes() + w.bytes() + y.bytes())},
               x, w, bias == nullptr ? w : *bias, y, integer(s.windows()), integer(s.grid), integer(s.side),
               integer(stride), integer(s.in), integer(window), integer(s.out), integer(split.rows_per_block),
               integer(split.panels_per_block), int32_t{bias != nullptr}, int32_t{flipped}, accumulates(mode));
}

void weight_gradient_in_tiles(Queue& queue, const RegisterTile& tile, const Tensor& dy, const Tensor& x,
                              const Squares& s, const UnfoldOptions& options, GradMode mode, const Tensor& dw,
                              const Tensor& partial) {
  const auto integer = [](size_t size) { return to_int(op, "a size", size); };
  const GemmShape shape = weight_gradient(s, options.window, tile);
  const RegisterTileSplit split = split_register_tiles(tile, shape, queue.device().caps().compute_units);
  const bool sliced = split.slices > 1;
  const double products = static_cast<double>(dw.elements()) * static_cast<double>(s.windows());
  queue.launch(queue.device().kernel(op, "convolution_weight_gradient", spec_of(tile)),
               {{split.row_blocks, split.panel_blocks, split.slices},
                {1, 1, 1},
                2 * products,
                static_cast<double>(dy.bytes() + x.bytes() + dw.bytes() * split.slices)},
               dy, x, sliced ? partial : dw, integer(s.windows()), integer(s.grid), integer(s.side),
               integer(options.stride), integer(s.in), integer(options.window), integer(s.out),
               integer(split.rows_per_block), integer(split.panels_per_block), integer(split.inner_per_slice),
               sliced ? 0 : accumulates(mode));
  if (!sliced) return;
  const GemmShape real{GemmForm::tn, s.out, dw.shape()[1], s.windows()};
  sum_register_tile_slices(queue, tile, real, split.slices, mode, dw.buffer(), partial.buffer());
}

}  // namespace

size_t convolution_workspace_bytes(const DeviceCaps& caps, const Shape& x, size_t out, const UnfoldOptions& options) {
  const Shape windows = options.windows(x);
  const size_t side = *side_of_square(x[1]), grid = options.grid(side), batch = x[0], in = x[2];
  const size_t product = linear_workspace_bytes(caps, windows.rows(), windows[2], out);
  const size_t written = align_up(windows.elements() * sizeof(float), caps.buffer_alignment) + product;
  if (refuse_register_tiles(caps)) return written;
  const Squares sizes{batch, side + 2 * options.padding, in, grid, out};
  const size_t border = options.window - 1 - options.padding, dy_side = grid + 2 * border;
  const size_t copy = batch * std::max(sizes.side * sizes.side * in, dy_side * dy_side * out) * sizeof(float);
  size_t slices = 0;
  for (const RegisterTile& tile : register_tiles) {
    slices = std::max(slices, register_tile_workspace_bytes(weight_gradient(sizes, options.window, tile)));
  }
  return std::max(written, align_up(copy, caps.buffer_alignment) + slices);
}

void convolution_forward(Queue& queue, const Tensor& x, const Tensor& w, const Tensor* bias,
                         const UnfoldOptions& options, const Tensor& y, const Tensor& workspace) {
  Squares s = check("x", x, "w", w, "y", y, options);
  if (bias != nullptr) expect_shape(op, "bias", *bias, {s.out}, "to fit w");
  Scratch scratch = scratch_in(queue.device(), workspace, s, options);
  if (const RegisterTile* tile = choose_tile(queue.device(), s, options, x.dtype())) {
    const Tensor squares = padded(queue, x, s.side, options.padding, options.pad_value, scratch);
    s.side += 2 * options.padding;
    return convolve(queue, *tile, squares, s, options.window, options.stride, w, bias, false, GradMode::overwrite, y);
  }
  const Tensor windows = take(scratch, options.windows(x.shape()), x.dtype());
  unfold_forward(queue, x, options, windows);
  linear_forward(queue, windows, w, bias, y, take_rest(scratch));
}

void convolution_backward_input(Queue& queue, const Tensor& dy, const Tensor& w, const UnfoldOptions& options,
                                GradMode mode, const Tensor& dx, const Tensor& workspace) {
  const Squares s = check("dx", dx, "w", w, "dy", dy, options);
  Scratch scratch = scratch_in(queue.device(), workspace, s, options);
  const RegisterTile* tile = choose_tile(queue.device(), s, options, dx.dtype());
  if (tile != nullptr && options.stride == 1) {  // a convolution of dy, with the weights' places in reverse
    const size_t border = options.window - 1 - options.padding;
    const Tensor squares = padded(queue, dy, s.grid, border, 0, scratch);
    const Squares back{s.batch, s.grid + 2 * border, s.out, s.side, s.in};
    return convolve(queue, *tile, squares, back, options.window, 1, w, nullptr, true, mode, dx);
  }
  const Tensor dwindows = take(scratch, options.windows(dx.shape()), dx.dtype());
  linear_backward_input(queue, dy, w, GradMode::overwrite, dwindows, take_rest(scratch));
  unfold_backward(queue, dwindows, options, mode, dx);
}

void convolution_backward_weight(Queue& queue, const Tensor& dy, const Tensor& x, const UnfoldOptions& options,
                                 GradMode mode, const Tensor& dw, const Tensor& workspace) {
  Squares s = check("x", x, "dw", dw, "dy", dy, options);
  Scratch scratch = scratch_in(queue.device(), workspace, s, options);
  if (const RegisterTile* tile = choose_tile(queue.device(), s, options, x.dtype())) {
    const Tensor squares = padded(queue, x, s.side, options.padding, options.pad_value, scratch);
    s.side += 2 * options.padding;
    return weight_gradient_in_tiles(queue, *tile, dy, squares, s, options, mode, dw, take_rest(scratch));
  }
  const Tensor windows = take(scratch, options.windows(x.shape()), x.dtype());
  unfold_forward(queue, x, options, windows);
  linear_backward_weight(queue, dy, windows, mode, dw, take_rest(scratch));
}

}  // namespace vitcl::ops
