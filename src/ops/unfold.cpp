#include "vitcl/ops/unfold.hpp"

#include "checks.hpp"
#include "launch.hpp"
#include "vitcl/tensor/square.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "unfold";

struct Sizes {
  size_t batch, side, channels, grid;
};

Sizes check(std::string_view x_name, const Tensor& x, std::string_view windows_name, const Tensor& windows,
            const UnfoldOptions& options) {
  const Shape& shape = x.shape();
  expect_shape(op, windows_name, windows, options.windows(shape), fmt::format("for {} {}", x_name, shape.to_string()),
               storage_of(op, x_name, x));
  const size_t side = *side_of_square(shape[1]);
  return {shape[0], side, shape[2], options.grid(side)};
}

KernelSpec spec(Device& device, const Sizes& sizes, DType storage) {
  return split_elements(op, device, sizes.channels, sizes.batch, 1, storage).spec();
}

}  // namespace

size_t UnfoldOptions::grid(size_t side) const {
  const size_t padded = side + 2 * padding;
  return window == 0 || stride == 0 || padded < window ? 0 : (padded - window) / stride + 1;
}

Shape UnfoldOptions::windows(const Shape& x) const {
  const bool filled = x.rank() == 3 && x.elements() > 0;
  const std::optional<size_t> side = filled ? side_of_square(x[1]) : std::nullopt;
  const size_t count = side ? grid(*side) : 0;
  if (count == 0 || padding >= window) {
    throw ShapeError(
        fmt::format("[{}] the tokens are {} with windows of {}, stride {}, padding {}: (batch, side * side, "
                    "channels) with room for a window, and a padding less than a window, are wanted",
                    op, x.to_string(), window, stride, padding));
  }
  return {x[0], count * count, window * window * x[2]};
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
  const auto bytes = static_cast<double>(dwindows.bytes()) + static_cast<double>(dx.bytes()) * (1 + accumulates(mode));
  queue.launch(queue.device().kernel(op, "unfold_backward", spec(queue.device(), sizes, dx.dtype())),
               {{sizes.side, sizes.side, sizes.batch}, {}, static_cast<double>(dwindows.elements()), bytes}, dwindows,
               dx, accumulates(mode), to_int(op, "the grid", sizes.grid), to_int(op, "the channels", sizes.channels),
               to_int(op, "the window", options.window), to_int(op, "the stride", options.stride),
               to_int(op, "the padding", options.padding));
}

}  // namespace vitcl::ops
