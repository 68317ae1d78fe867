#include "dropout.hpp"

#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "dropout";

void drop(Queue& queue, std::string_view name, const Tensor& source, const Tensor& draws, const DropoutOptions& options,
          int32_t accumulate, const Tensor& target) {
  expect_filled(op, name, source);
  const DType storage = storage_of(op, name, source);
  expect_shape(op, "the result", target, source.shape(), fmt::format("like {}", name), storage);
  const size_t batch = source.shape()[0], size = source.elements() / batch;
  expect_draws(op, draws, batch);
  const DropoutArguments dropout = dropout_arguments(op, options);
  const ElementSplit split = split_elements(op, queue.device(), size, batch, 1, storage);
  const double flops = options.whole_samples ? 1 : 35, count = static_cast<double>(source.elements());
  queue.launch(queue.device().kernel(op, options.whole_samples ? "drop_path" : "dropout", split.spec()),
               {split.global, split.local, flops * count, (2 + accumulate) * static_cast<double>(source.bytes())},
               source, draws, dropout.use, dropout.threshold, dropout.kept, accumulate, target, uint64_t{size},
               split.chunk);
}

}  // namespace

void dropout_forward(Queue& queue, const Tensor& x, const Tensor& draws, const DropoutOptions& options,
                     const Tensor& y) {
  drop(queue, "x", x, draws, options, accumulates(GradMode::overwrite), y);
}

void dropout_backward(Queue& queue, const Tensor& dy, const Tensor& draws, const DropoutOptions& options, GradMode mode,
                      const Tensor& dx) {
  drop(queue, "dy", dy, draws, options, accumulates(mode), dx);
}

}  // namespace vitcl::ops
