#include "vitcl/ops/adam.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {

void adam(Queue& queue, const Tensor& gradients, const AdamOptions& options, const Tensor& table, const Tensor& cursor,
          const Tensor& parameters, const Tensor& m, const Tensor& v) {
  expect_rank("adam", "parameters", parameters, 1);
  expect_shape("adam", "gradients", gradients, parameters.shape(), "like parameters");
  expect_shape("adam", "m", m, parameters.shape(), "like parameters");
  expect_shape("adam", "v", v, parameters.shape(), "like parameters");
  expect_step("adam", table, cursor);
  const size_t n = parameters.elements();
  const auto split = split_elements("adam", queue.device(), n);
  const auto count = static_cast<double>(n);
  queue.launch(queue.device().kernel("adam", "adam", split.spec()), {split.global, split.local, 14 * count, 28 * count},
               gradients, table, cursor, static_cast<float>(1 - options.beta1), static_cast<float>(options.beta2),
               static_cast<float>(1 - options.beta2), static_cast<float>(options.epsilon), parameters, m, v,
               uint64_t{n}, split.chunk);
}

}  // namespace vitcl::ops
