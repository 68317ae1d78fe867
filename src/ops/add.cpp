#include "vitcl/ops/add.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {

void add_forward(Queue& queue, const Tensor& a, const Tensor& b, const Tensor& y) {
  expect_filled("add", "a", a);
  const DType storage = storage_of("add", "a", a);
  expect_shape("add", "b", b, a.shape(), "like a", storage);
  expect_shape("add", "y", y, a.shape(), "like a", storage);
  const size_t n = a.elements();
  const auto split = split_elements("add", queue.device(), n, 1, 1, storage);
  const auto count = static_cast<double>(n), bytes = static_cast<double>(a.bytes());
  queue.launch(queue.device().kernel("add", "add_forward", split.spec()), {split.global, split.local, count, 3 * bytes},
               a, b, y, uint64_t{n}, split.chunk);
}

void add_backward(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& dx) {
  expect_filled("add", "dy", dy);
  const DType storage = storage_of("add", "dy", dy);
  expect_shape("add", "dx", dx, dy.shape(), "like dy", storage);
  const size_t n = dy.elements();
  const auto split = split_elements("add", queue.device(), n, 1, 1, storage);
  const auto count = static_cast<double>(n), bytes = static_cast<double>(dy.bytes());
  queue.launch(queue.device().kernel("add", "add_backward", split.spec()),
               {split.global, split.local, accumulates(mode) * count, (2 + accumulates(mode)) * bytes}, dy, dx,
               accumulates(mode), uint64_t{n}, split.chunk);
}

}  // namespace vitcl::ops
