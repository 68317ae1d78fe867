#include "vitcl/ops/layer_norm.hpp"

#include <algorithm>

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "layer_norm";

/// How the rows are cut for the weight gradients' partial sums: by the shape alone, so that the sums' order is fixed.
struct RowSlices {
  size_t size, count;
  explicit RowSlices(size_t rows) : size(0), count(0) {
    constexpr size_t most = 64, least_rows = 8;
    size = std::max((rows + most - 1) / most, least_rows);
    count = (rows + size - 1) / size;
  }
};

struct RowLaunch {
  size_t rows, dim, group;  // group 0: a work-item takes whole rows
  DType storage;
  RowLaunch(Queue& queue, const Tensor& x)
      : rows(x.shape().rows()), dim(x.shape().last()), group(0), storage(x.dtype()) {
    if (!takes_whole_rows(op, queue.device(), rows, dim, storage)) group = row_group(queue.device().caps(), dim);
  }
  Kernel kernel(Queue& queue, std::string_view entry) const {
    auto spec = with_storage(KernelSpec().define("GROUP", static_cast<int64_t>(group)), storage);
    return queue.device().kernel(op, entry, spec);
  }
  /// One work-group a row.
  LaunchShape row_shape(double flops, double moved) const {
    return {{rows * group}, {group}, flops * elements(), bytes(moved)};
  }
  /// One work-item a slice of rows.
  LaunchShape slice_shape(double flops, double moved) const {
    return {{RowSlices(rows).count}, {1}, flops * elements(), bytes(moved)};
  }
  double elements() const { return static_cast<double>(rows * dim); }
  /// Of so many tensors like x.
  double bytes(double moved) const { return static_cast<double>(size_of(storage)) * moved * elements(); }
};

/// x: rows of features, all axes but the innermost flattened.
void check_features(std::string_view name, const Tensor& tensor, const Shape& x) {
  if (tensor.shape() == Shape{x.last()}) return;
  if (tensor.shape().rank() == 1) {
    throw ShapeError(
        fmt::format("[{}] x is {} but {} expects {} features", op, x.to_string(), name, tensor.shape()[0]));
  }
  throw ShapeError(fmt::format("[{}] {} is {} but must have 1 axis", op, name, tensor.shape().to_string()));
}

void check_statistics(const Shape& x, const Tensor& mean, const Tensor& rstd) {
  expect_shape(op, "mean", mean, {x.rows()}, "to hold one value a row of x");
  expect_shape(op, "rstd", rstd, {x.rows()}, "to hold one value a row of x");
}

}  // namespace

void layer_norm_forward(Queue& queue, const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon,
                        const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  expect_filled(op, "x", x);
  check_features("weight", weight, x.shape());
  check_features("bias", bias, x.shape());
  expect_shape(op, "y", y, x.shape(), "like x", storage_of(op, "x", x));
  check_statistics(x.shape(), mean, rstd);
  const RowLaunch launch(queue, x);
  const int32_t rows = to_int(op, "the rows", launch.rows), dim = to_int(op, "dim", launch.dim);
  const Kernel kernel = launch.kernel(queue, "layer_norm_forward");
  constexpr double flops = 7, moved = 2;  // an element
  if (launch.group == 0) {
    const auto block = static_cast<int32_t>(RowSlices(launch.rows).size);
    queue.launch(kernel, launch.slice_shape(flops, moved), x, weight, bias, epsilon, y, mean, rstd, rows, dim, block);
  } else {
    queue.launch(kernel, launch.row_shape(flops, moved), x, weight, bias, epsilon, y, mean, rstd, dim);
  }
}

size_t layer_norm_workspace_bytes(size_t rows, size_t dim) { return RowSlices(rows).count * 2 * dim * sizeof(float); }

void layer_norm_backward(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, GradMode input_mode, const Tensor& dx, GradMode parameter_mode,
                         const Tensor& dweight, const Tensor& dbias, const Tensor& workspace) {
  expect_filled(op, "x", x);
  const DType storage = storage_of(op, "x", x);
  expect_shape(op, "dy", dy, x.shape(), "like x", storage);
  if (dx) expect_shape(op, "dx", dx, x.shape(), "like x", storage);
  for (const auto& [name, tensor] : {std::pair("weight", &weight), {"dweight", &dweight}, {"dbias", &dbias}}) {
    check_features(name, *tensor, x.shape());
  }
  check_statistics(x.shape(), mean, rstd);
  const RowLaunch launch(queue, x);
  expect_bytes(op, "workspace", workspace, layer_norm_workspace_bytes(launch.rows, launch.dim));
  const RowSlices slices(launch.rows);
  const int32_t rows = to_int(op, "the rows", launch.rows), dim = to_int(op, "dim", launch.dim);
  const auto slice = static_cast<int32_t>(slices.size), count = static_cast<int32_t>(slices.count);
  const double moved = 3 + accumulates(input_mode);
  if (launch.group == 0) {
    constexpr double flops = 18;
    queue.launch(launch.kernel(queue, "layer_norm_backward"), launch.slice_shape(flops, moved), dy, x, weight, mean,
                 rstd, dx ? dx : x, int32_t{bool(dx)}, accumulates(input_mode), workspace, rows, dim, slice);
  } else {
    constexpr double flops = 13, partial_flops = 5;
    if (dx) {
      queue.launch(launch.kernel(queue, "layer_norm_backward"), launch.row_shape(flops, moved), dy, x, weight, mean,
                   rstd, dx, accumulates(input_mode), dim);
    }
    queue.launch(launch.kernel(queue, "layer_norm_partials"),
                 {{launch.dim, slices.count}, {}, partial_flops * launch.elements(), launch.bytes(2)}, dy, x, mean,
                 rstd, workspace, rows, dim, slice);
  }
  const auto partials = static_cast<double>(2 * slices.count * launch.dim);
  queue.launch(launch.kernel(queue, "layer_norm_parameters"), {{launch.dim}, {}, partials, 4 * partials}, workspace,
               count, dweight, dbias, accumulates(parameter_mode), dim);
}

}  // namespace vitcl::ops
