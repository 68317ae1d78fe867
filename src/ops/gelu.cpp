#include "vitcl/ops/gelu.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr double forward_flops = 35, backward_flops = 38;  // an element

}  // namespace

void gelu_forward(Queue& queue, const Tensor& x, const Tensor& y) {
  expect_filled("gelu", "x", x);
  const DType storage = storage_of("gelu", "x", x);
  expect_shape("gelu", "y", y, x.shape(), "like x", storage);
  const size_t n = x.elements();
  const auto split = split_elements("gelu", queue.device(), n, 1, 1, storage);
  const auto count = static_cast<double>(n), bytes = static_cast<double>(x.bytes());
  queue.launch(queue.device().kernel("gelu", "gelu_forward", split.spec()),
               {split.global, split.local, forward_flops * count, 2 * bytes}, x, y, uint64_t{n}, split.chunk);
}

void gelu_backward(Queue& queue, const Tensor& dy, const Tensor& x, GradMode mode, const Tensor& dx) {
  expect_filled("gelu", "x", x);
  const DType storage = storage_of("gelu", "x", x);
  expect_shape("gelu", "dy", dy, x.shape(), "like x", storage);
  expect_shape("gelu", "dx", dx, x.shape(), "like x", storage);
  const size_t n = x.elements();
  const auto split = split_elements("gelu", queue.device(), n, 1, 1, storage);
  const auto count = static_cast<double>(n), bytes = static_cast<double>(x.bytes());
  queue.launch(queue.device().kernel("gelu", "gelu_backward", split.spec()),
               {split.global, split.local, backward_flops * count, (3 + accumulates(mode)) * bytes}, dy, x, dx,
               accumulates(mode), uint64_t{n}, split.chunk);
}

}  // namespace vitcl::ops
