#include "vitcl/ops/scale.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {

void scale(Queue& queue, const Tensor& x, float factor) {
  expect_filled("scale", "x", x);
  expect_shape("scale", "x", x, x.shape(), "to be scaled");
  const size_t n = x.elements();
  const auto split = split_elements("scale", queue.device(), n);
  const auto count = static_cast<double>(n);
  queue.launch(queue.device().kernel("scale", "scale", split.spec()), {split.global, split.local, count, 8 * count}, x,
               factor, uint64_t{n}, split.chunk);
}

}  // namespace vitcl::ops
