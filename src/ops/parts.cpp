#include "vitcl/ops/parts.hpp"

#include <bit>

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "parts";

void expect_range(std::string_view name, const Tensor& tensor, size_t first, size_t count) {
  if (tensor.dtype() != DType::u8 && first + count <= tensor.elements()) return;
  throw ShapeError(fmt::format("[{}] {} is {} {} but must have {} elements of f32, i32 or f16 from number {} on", op,
                               name, tensor.shape().to_string(), to_string(tensor.dtype()), count, first));
}

}  // namespace

size_t part_begin(size_t samples, size_t part, size_t parts) {
  size_t first = 0, last = samples;
  if (part == parts) return last;
  for (size_t bit = parts / 2; bit > 0; bit /= 2) {
    const size_t middle = (first + last) / 2;
    ((part & bit) != 0 ? first : last) = middle;
  }
  return first;
}

void copy_range(Queue& queue, const Tensor& source, size_t source_first, const Tensor& target, size_t target_first,
                size_t count) {
  expect_range("source", source, source_first, count);
  expect_range("target", target, target_first, count);
  expect_shape(op, "target", target, target.shape(), "like source", source.dtype());
  const auto split = split_elements(op, queue.device(), count, 1, 1, source.dtype());
  const auto bytes = static_cast<double>(2 * count * size_of(source.dtype()));
  queue.launch(queue.device().kernel(op, "copy_range", split.spec()), {split.global, split.local, 0, bytes}, source,
               uint64_t{source_first}, target, uint64_t{target_first}, uint64_t{count}, split.chunk);
}

void sum_parts(Queue& queue, const Tensor& rows, GradMode mode, const Tensor& target) {
  constexpr size_t most = size_t{1} << 15U;
  expect_rank(op, "rows", rows, 2);
  expect_filled(op, "target", target);
  const size_t parts = rows.shape()[0], stride = rows.shape()[1], n = target.elements();
  if (!std::has_single_bit(parts) || parts > most || stride < n) {
    throw ShapeError(fmt::format("[{}] rows is {} but must be a power of two of rows, {} or fewer, of {} or more", op,
                                 rows.shape().to_string(), most, n));
  }
  const auto split = split_elements(op, queue.device(), n, 1, parts);
  const auto read = static_cast<double>(parts * n), written = static_cast<double>(n) * (1 + accumulates(mode));
  queue.launch(queue.device().kernel(op, "sum_parts", split.spec()),
               {split.global, split.local, read, sizeof(float) * (read + written)}, rows, uint64_t{stride},
               to_int(op, "the number of parts", parts), target, accumulates(mode), uint64_t{n}, split.chunk);
}

}  // namespace vitcl::ops
