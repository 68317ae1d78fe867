#include "vitcl/ops/optimizer.hpp"

#include <algorithm>

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "optimizer";

/// How the kernels of optimizer.cl take `n` elements. All share one spec, so the file compiles once.
struct FlatLaunch {
  ElementSplit split;
  size_t group;
  FlatLaunch(Device& device, size_t n)
      : split(split_elements(op, device, n)), group(split.width == 1 ? row_group(device.caps(), 64) : 1) {}
  Kernel kernel(Queue& queue, std::string_view entry) const {
    return queue.device().kernel(op, entry, split.spec().define("GROUP", static_cast<int64_t>(group)));
  }
  /// Costs for each element.
  LaunchShape shape(size_t n, double flops, double bytes) const {
    const auto count = static_cast<double>(n);
    return {split.global, split.local, flops * count, bytes * count};
  }
};

/// The elements that a work-group of square_sums takes.
size_t part_size(size_t elements) {
  constexpr size_t most_parts = 256, least = 1024;
  return align_up(std::max(least, (elements + most_parts - 1) / most_parts), factor_run);
}

void expect_gradients(const Update& update) {
  expect_rank(op, "gradients", update.gradients, 1);
  const size_t n = update.gradients.elements();
  expect_shape(op, "gradient_scale", update.gradient_scale, {1}, "to hold one number");
  expect_shape(op, "factors", update.factors, {(n + factor_run - 1) / factor_run, 2}, "to fit gradients");
}

void expect_update(const Update& update) {
  expect_gradients(update);
  expect_shape(op, "parameters", update.parameters, update.gradients.shape(), "like gradients");
  expect_step(op, update.table, update.cursor);
}

}  // namespace

void adam_with_decay(Queue& queue, const Update& update, const AdamOptions& options, WeightDecay decay, const Tensor& m,
                     const Tensor& v) {
  expect_update(update);
  expect_shape(op, "m", m, update.parameters.shape(), "like parameters");
  expect_shape(op, "v", v, update.parameters.shape(), "like parameters");
  const size_t n = update.parameters.elements();
  const FlatLaunch launch(queue.device(), n);
  queue.launch(launch.kernel(queue, "adam_with_decay"), launch.shape(n, 19, 28.5), update.gradients,
               update.gradient_scale, update.factors, update.table, update.cursor,
               static_cast<float>(1 - options.beta1), static_cast<float>(options.beta2),
               static_cast<float>(1 - options.beta2), static_cast<float>(options.epsilon),
               int32_t{decay == WeightDecay::decoupled}, update.parameters, m, v, uint64_t{n}, launch.split.chunk);
}

void sgd(Queue& queue, const Update& update, const SgdOptions& options, const Tensor& velocity) {
  expect_update(update);
  expect_shape(op, "velocity", velocity, update.parameters.shape(), "like parameters");
  const size_t n = update.parameters.elements();
  const FlatLaunch launch(queue.device(), n);
  queue.launch(launch.kernel(queue, "sgd"), launch.shape(n, 9, 20.5), update.gradients, update.gradient_scale,
               update.factors, update.table, update.cursor, static_cast<float>(options.momentum),
               int32_t{options.nesterov}, update.parameters, velocity, uint64_t{n}, launch.split.chunk);
}

size_t clip_workspace(size_t elements) {
  const size_t part = part_size(elements);
  return (elements + part - 1) / part;
}

void clip_scale(Queue& queue, const Update& update, double max_norm, const Tensor& workspace) {
  expect_gradients(update);
  const size_t n = update.gradients.elements(), parts = clip_workspace(n);
  expect_bytes(op, "workspace", workspace, parts * sizeof(float));
  const FlatLaunch launch(queue.device(), n);
  const auto count = static_cast<double>(n);
  queue.launch(launch.kernel(queue, "square_sums"), {{parts * launch.group}, {launch.group}, 2 * count, 4.5 * count},
               update.gradients, update.factors, workspace, uint64_t{n}, uint64_t{part_size(n)});
  queue.launch(launch.kernel(queue, "clip_scale"), {{launch.group}, {launch.group}}, workspace,
               to_int(op, "gradients", parts), static_cast<float>(max_norm), update.gradient_scale);
}

void moving_average(Queue& queue, const Tensor& values, double decay, const Tensor& average) {
  expect_rank(op, "values", values, 1);
  expect_shape(op, "average", average, values.shape(), "like values");
  const size_t n = values.elements();
  const FlatLaunch launch(queue.device(), n);
  queue.launch(launch.kernel(queue, "moving_average"), launch.shape(n, 3, 12), values, static_cast<float>(1 - decay),
               average, uint64_t{n}, launch.split.chunk);
}

}  // namespace vitcl::ops
