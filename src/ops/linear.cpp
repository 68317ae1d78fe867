#include "vitcl/ops/linear.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "checks.hpp"
#include "gemm.hpp"
#include "launch.hpp"
#include "vitcl/ops/implementation.hpp"

namespace vitcl::ops {
namespace {

void expect_features(std::string_view op, std::string_view name, const Tensor& tensor, size_t features,
                     std::string_view reason) {
  expect_filled(op, name, tensor);
  storage_of(op, name, tensor);
  if (tensor.shape().last() == features) return;
  throw ShapeError(fmt::format("[{}] {} is {} but its last axis must be {} {}", op, name, tensor.shape().to_string(),
                               features, reason));
}

// x (rows, in), w (out, in) and y (rows, out), or their gradients, fit together.
GemmShape expect_linear(std::string_view op, const Tensor& x, const Tensor& w, const Tensor& y) {
  expect_rank(op, "w", w, 2);
  expect_shape(op, "w", w, w.shape(), "as all parameters");
  const size_t out = w.shape()[0], in = w.shape()[1];
  expect_features(op, "x", x, in, "to fit w");
  expect_features(op, "y", y, out, "to fit w");
  const size_t rows = x.shape().rows();
  if (y.shape().rows() != rows) {
    throw ShapeError(fmt::format("[{}] x has {} rows but y has {}", op, rows, y.shape().rows()));
  }
  return {GemmForm::nt, rows, out, in};
}

void expect_workspace(std::string_view op, const Tensor& workspace, size_t bytes) {
  if (bytes == 0 || (workspace && workspace.bytes() >= bytes)) return;
  throw ShapeError(
      fmt::format("[{}] the workspace has {} bytes but must have {}", op, workspace ? workspace.bytes() : 0, bytes));
}

// Rows are summed in blocks of 64, more where there would be more than 64 blocks.
struct RowBlocks {
  size_t rows_each, count;
};
RowBlocks row_blocks(size_t rows) {
  constexpr size_t least_rows = 64, most_blocks = 64;
  const size_t each = std::max(least_rows, (rows + most_blocks - 1) / most_blocks);
  return {each, (rows + each - 1) / each};
}

void sum_columns_in_vectors(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& db) {
  const size_t rows = dy.shape().rows(), columns = db.elements();
  const auto count = static_cast<double>(dy.elements());
  constexpr size_t width = 16;
  queue.launch(queue.device().kernel("bias", "column_sums_float16"),
               {{(columns + width - 1) / width}, {1}, count, sizeof(float) * count}, dy, db,
               to_int("linear", "rows", rows), to_int("linear", "out", columns), accumulates(mode));
}

void sum_columns_in_blocks(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& db, const Tensor& workspace) {
  const size_t columns = db.elements();
  const auto blocks = row_blocks(dy.shape().rows());
  expect_workspace("linear", workspace, blocks.count * columns * sizeof(float));
  const auto kernel = [&](DType storage) {
    return queue.device().kernel("bias", "column_sums", with_storage(KernelSpec(), storage));
  };
  const auto count = static_cast<double>(dy.elements());
  const int32_t block_count = to_int("linear", "blocks", blocks.count);
  const LaunchShape launch{{columns, blocks.count}, {}, count, static_cast<double>(dy.bytes())};
  queue.launch(kernel(dy.dtype()), launch, dy, workspace, to_int("linear", "rows", dy.shape().rows()),
               to_int("linear", "rows", blocks.rows_each), int32_t{0});
  queue.launch(kernel(DType::f32), {.global = {columns, 1}}, workspace, db, block_count, block_count,
               accumulates(mode));
}

}  // namespace

size_t linear_workspace_bytes(const DeviceCaps& caps, size_t rows, size_t in, size_t out) {
  return std::max({gemm_workspace_bytes(caps, {GemmForm::nt, rows, out, in}),
                   gemm_workspace_bytes(caps, {GemmForm::nn, rows, in, out}),
                   gemm_workspace_bytes(caps, {GemmForm::tn, out, in, rows}),
                   row_blocks(rows).count * out * sizeof(float)});
}

void linear_forward(Queue& queue, const Tensor& x, const Tensor& w, const Tensor* bias, const Tensor& y,
                    const Tensor& workspace) {
  const GemmShape shape = expect_linear("linear", x, w, y);
  if (bias != nullptr) expect_shape("linear", "bias", *bias, {shape.n}, "to fit w");
  expect_workspace("linear", workspace, gemm_workspace_bytes(queue.device().caps(), shape));
  gemm(queue, shape, x.buffer(), w.buffer(), bias == nullptr ? nullptr : &bias->buffer(), GradMode::overwrite,
       y.buffer(), workspace.buffer(), {.a = x.dtype(), .c = y.dtype()});
}

void linear_backward_input(Queue& queue, const Tensor& dy, const Tensor& w, GradMode mode, const Tensor& dx,
                           const Tensor& workspace) {
  const GemmShape forward = expect_linear("linear backward", dx, w, dy);
  const GemmShape shape{GemmForm::nn, forward.m, forward.k, forward.n};
  expect_workspace("linear backward", workspace, gemm_workspace_bytes(queue.device().caps(), shape));
  gemm(queue, shape, dy.buffer(), w.buffer(), nullptr, mode, dx.buffer(), workspace.buffer(),
       {.a = dy.dtype(), .c = dx.dtype()});
}

void linear_backward_weight(Queue& queue, const Tensor& dy, const Tensor& x, GradMode mode, const Tensor& dw,
                            const Tensor& workspace) {
  const GemmShape forward = expect_linear("linear backward", x, dw, dy);
  const GemmShape shape{GemmForm::tn, forward.n, forward.k, forward.m};
  expect_workspace("linear backward", workspace, gemm_workspace_bytes(queue.device().caps(), shape));
  gemm(queue, shape, dy.buffer(), x.buffer(), nullptr, mode, dw.buffer(), workspace.buffer(),
       {.a = dy.dtype(), .b = x.dtype()});
}

void bias_backward(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& db, const Tensor& workspace) {
  expect_filled("linear backward", "dy", dy);
  expect_shape("linear backward", "db", db, {dy.shape().last()}, "to fit dy");
  Device& device = queue.device();
  const DType storage = storage_of("linear backward", "dy", dy);
  const OpShape key{"bias", shape_name(fmt::format("{}x{}", dy.shape().rows(), dy.shape().last()), storage)};
  const auto candidates = [&] { return vector_or_plain(device.caps(), "vectors", "blocks", storage); };
  if (choose_implementation(device, key, candidates) == "vectors") {
    sum_columns_in_vectors(queue, dy, mode, db);
  } else {
    sum_columns_in_blocks(queue, dy, mode, db, workspace);
  }
}

}  // namespace vitcl::ops
