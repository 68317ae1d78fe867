#include "vitcl/ops/batch.hpp"

#include "checks.hpp"
#include "image_source.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "batch";

/// How the kernels of batch.cl take `elements` in each of `rows`. All share one spec, so the file compiles once.
struct BatchLaunch {
  ElementSplit split;
  size_t group;
  BatchLaunch(Device& device, size_t elements, size_t rows = 1)
      : split(split_elements(op, device, elements, rows)), group(split.width == 1 ? row_group(device.caps(), 64) : 1) {}
  Kernel kernel(Queue& queue, std::string_view entry) const {
    return queue.device().kernel(op, entry, split.spec().define("GROUP", static_cast<int64_t>(group)));
  }
  LaunchShape groups(size_t count) const { return {{group * count}, {group}}; }
};

}  // namespace

void load_images(Queue& queue, const Tensor& pixels, const Tensor& places, const Tensor& table, const Tensor& cursor,
                 const Tensor& mean, const Tensor& deviation, const Tensor& images) {
  expect_image_source(op, pixels, places, mean, deviation, images);
  expect_step(op, table, cursor);
  const size_t batch = images.shape()[0], channels = images.shape()[1], plane = images.shape()[2] * images.shape()[3];
  const BatchLaunch launch(queue.device(), plane, batch * channels);
  const auto elements = static_cast<double>(images.elements());
  const size_t items = launch.split.global[0];
  queue.launch(launch.kernel(queue, "load_images"),
               {{items, channels, batch}, {launch.split.local[0], 1, 1}, 3 * elements, 5 * elements}, pixels, places,
               table, cursor, mean, deviation, images, uint64_t{plane}, launch.split.chunk);
}

void load_labels(Queue& queue, const Tensor& all_labels, const Tensor& order, const Tensor& table, const Tensor& cursor,
                 const Tensor& labels) {
  expect_numbers(op, "all_labels", all_labels);
  expect_numbers(op, "labels", labels);
  expect_numbers(op, "order", order);
  expect_step(op, table, cursor);
  const BatchLaunch launch(queue.device(), labels.elements());
  queue.launch(launch.kernel(queue, "load_labels"), launch.groups(1), all_labels, order, table, cursor, labels,
               uint64_t{labels.elements()});
}

void random_mask(Queue& queue, uint64_t seed, float ratio, const Tensor& epoch, const Tensor& order,
                 const Tensor& table, const Tensor& cursor, const Tensor& mask) {
  expect_rank(op, "mask", mask, 2);
  expect_shape(op, "mask", mask, mask.shape(), "as it holds one byte a patch", DType::u8);
  expect_epoch(op, epoch, order);
  expect_step(op, table, cursor);
  const size_t batch = mask.shape()[0], patches = mask.shape()[1];
  const BatchLaunch launch(queue.device(), patches, batch);
  queue.launch(launch.kernel(queue, "random_mask"), {launch.split.global, launch.split.local}, seed, ratio, epoch,
               order, table, cursor, mask, uint64_t{patches});
}

void load_draws(Queue& queue, uint64_t seed, const Tensor& epoch, const Tensor& order, const Tensor& table,
                const Tensor& cursor, const Tensor& draws) {
  expect_rank(op, "draws", draws, 2);
  expect_shape(op, "draws", draws, {draws.shape()[0], 4}, "to hold a sample's keys", DType::i32);
  expect_epoch(op, epoch, order);
  expect_step(op, table, cursor);
  const BatchLaunch launch(queue.device(), 1, draws.shape()[0]);
  queue.launch(launch.kernel(queue, "load_draws"), launch.groups(1), seed, epoch, order, table, cursor, draws,
               uint64_t{draws.shape()[0]});
}

void record_statistics(Queue& queue, const Tensor& loss, const Tensor& correct, const Tensor& cursor,
                       const Tensor& losses, const Tensor& correct_counts, size_t parts) {
  expect_rank(op, "loss", loss, 1);
  expect_shape(op, "correct", correct, loss.shape(), "like loss", DType::i32);
  expect_shape(op, "cursor", cursor, {1}, "to name one step", DType::i32);
  expect_rank(op, "losses", losses, 1);
  expect_shape(op, "correct_counts", correct_counts, losses.shape(), "like losses", DType::i32);
  const BatchLaunch launch(queue.device(), loss.elements());
  queue.launch(launch.kernel(queue, "record_statistics"), launch.groups(parts), loss, correct, cursor, losses,
               correct_counts, to_int(op, "the batch", loss.elements()), to_int(op, "the steps", losses.elements()));
}

void advance(Queue& queue, const Tensor& cursor, size_t steps) {
  expect_shape(op, "cursor", cursor, {1}, "to name one step", DType::i32);
  const BatchLaunch launch(queue.device(), 1);
  queue.launch(launch.kernel(queue, "advance"), {{1}, {1}}, cursor, to_int(op, "the steps", steps));
}

}  // namespace vitcl::ops
