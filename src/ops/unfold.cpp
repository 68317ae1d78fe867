#include "vitcl/ops/unfold.hpp"

#include <cmath>

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "unfold";

struct Sizes {
  size_t batch, side, channels, grid;
};

Sizes check(std::string_view x_name, const Tensor& x, std::string_view windows_name, const Tensor& windows,
            const UnfoldOptions& options) {
  expect_rank(op, x_name, x, 3);
  const size_t batch = x.shape()[0], tokens = x.shape()[1], channels = x.shape()[2];
  const auto side = static_cast<size_t>(std::llround(std::sqrt(static_cast<double>(tokens))));
  const size_t grid = options.grid(side);
  if (side * side != tokens || grid == 0 || options.padding >= options.window) {
    throw ShapeError(
        fmt::format("[{}] {} is {} with windows of {}, stride {}, padding {}: a square of tokens, into "
                    "which a window fits, and a padding less than a window are wanted",
                    op, x_name, x.shape().to_string(), options.window, options.stride, options.padding));
  }
  expect_shape(op, windows_name, windows, {batch, grid * grid, options.window * options.window * channels},
               fmt::format("for {} {}", x_name, x.shape().to_string()), storage_of(op, x_name, x));
  return {batch, side, channels, grid};
}

KernelSpec spec(Device& device, const Sizes& sizes, DType storage) {
  return split_elements(op, device, sizes.channels, sizes.batch, 1, storage).spec();
}

}  // namespace

size_t UnfoldOptions::grid(size_t side) const {
  const size_t padded = side + 2 * padding;
  return window == 0 || stride == 0 || padded < window ? 0 : (padded - window) / stride + 1;
}

void unfold_forward(Queue& queue, const Tensor& x, const UnfoldOptions& options, const Tensor& windows) {
  const Sizes sizes = check("x", x, "windows", windows, options);
  queue.launch(queue.device().kernel(op, "unfold_forward", spec(queue.device(), sizes, x.dtype())),
               {{sizes.grid, sizes.grid, sizes.batch}, {}, 0, static_cast<double>(x.bytes() + windows.bytes())}, x,
               windows, to_int(op, "the side", sizes.side), to_int(op, "the channels", sizes.channels),
               to_int(op, "the window", options.window), to_int(op, "the stride", options.stride),
               to_int(op, "the padding", options.padding), options.pad_value);
}

void unfold_backward(Queue& queue, const Tensor& dwindows, const UnfoldOptions& options, GradMode mode,
                     const Tensor& dx) {
  const Sizes sizes = check("dx", dx, "dwindows", dwindows, options);
  const auto bytes = static_cast<double>(dwindows.bytes() + dx.bytes() * (mode == GradMode::accumulate ? 2 : 1));
  queue.launch(queue.device().kernel(op, "unfold_backward", spec(queue.device(), sizes, dx.dtype())),
               {{sizes.side, sizes.side, sizes.batch}, {}, static_cast<double>(dwindows.elements()), bytes}, dwindows,
               dx, accumulates(mode), to_int(op, "the grid", sizes.grid), to_int(op, "the channels", sizes.channels),
               to_int(op, "the window", options.window), to_int(op, "the stride", options.stride),
               to_int(op, "the padding", options.padding));
}

}  // namespace vitcl::ops
