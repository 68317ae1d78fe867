#include "vitcl/ops/mix.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "mix";

void expect_mixes(const Tensor& mixes) {
  expect_rank(op, "mixes", mixes, 2);
  expect_shape(op, "mixes", mixes, {mixes.shape()[0], mix_words}, "to hold mix entries");
}

}  // namespace

void mix_images(Queue& queue, const Tensor& partners, const Tensor& mixes, const Tensor& cursor, const Tensor& images) {
  expect_rank(op, "images", images, 4);
  const size_t planes = images.shape()[0] * images.shape()[1], side = images.shape()[2];
  expect_shape(op, "images", images, {images.shape()[0], images.shape()[1], side, side}, "as the images are square");
  expect_shape(op, "partners", partners, images.shape(), "like images");
  expect_mixes(mixes);
  expect_shape(op, "cursor", cursor, {1}, "to name one step", DType::i32);
  const size_t group = row_group(queue.device().caps(), 64);
  const auto elements = static_cast<double>(images.elements());
  queue.launch(queue.device().kernel(op, "mix_images", KernelSpec()),
               {{(side * side + group - 1) / group * group, planes}, {group, 1}, 4 * elements, 12 * elements}, partners,
               mixes, cursor, images, to_int(op, "the side", side));
}

void soft_targets(Queue& queue, const Tensor& all_labels, const Tensor& order, const Tensor& partners,
                  const Tensor& table, const Tensor& mixes, const Tensor& cursor, const Tensor& class_weights,
                  float smoothing, const Tensor& labels, const Tensor& targets) {
  expect_rank(op, "targets", targets, 2);
  const size_t batch = targets.shape()[0], classes = targets.shape()[1];
  expect_shape(op, "targets", targets, targets.shape(), "to weigh the classes");
  expect_shape(op, "labels", labels, {batch}, "to fit targets", DType::i32);
  expect_shape(op, "class_weights", class_weights, {classes}, "to fit targets");
  expect_numbers(op, "all_labels", all_labels);
  expect_numbers(op, "order", order);
  expect_shape(op, "partners", partners, order.shape(), "like order", DType::i32);
  expect_step(op, table, cursor);
  expect_mixes(mixes);
  to_int(op, "the classes", classes);
  queue.launch(queue.device().kernel(op, "soft_targets", KernelSpec()), {{classes, batch}}, all_labels, order, partners,
               table, mixes, cursor, class_weights, smoothing, labels, targets);
}

}  // namespace vitcl::ops
