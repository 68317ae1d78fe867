#include "vitcl/ops/augment.hpp"

#include "checks.hpp"
#include "image_source.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "augment";

}  // namespace

void draw_augmentation(Queue& queue, const AugmentOptions& options, uint64_t seed, size_t side, const Tensor& epoch,
                       const Tensor& order, const Tensor& table, const Tensor& cursor, const Tensor& drawn) {
  expect_rank(op, "drawn", drawn, 2);
  expect_shape(op, "drawn", drawn, {drawn.shape()[0], augmentation_words}, "to hold what is drawn for each image");
  expect_epoch(op, epoch, order);
  expect_step(op, table, cursor);
  queue.launch(queue.device().kernel(op, "draw_augmentation", KernelSpec()), {{drawn.shape()[0]}}, seed, options.hflip,
               options.degrees, options.translate, options.scale, options.shear,
               to_int(op, "the crop's padding", options.crop_padding), options.color_jitter, options.reprob, epoch,
               order, table, cursor, drawn, to_int(op, "the side", side));
}

void load_augmented_images(Queue& queue, const Tensor& pixels, const Tensor& places, const Tensor& table,
                           const Tensor& cursor, const Tensor& mean, const Tensor& deviation, const Tensor& drawn,
                           const Tensor& images) {
  expect_image_source(op, pixels, places, mean, deviation, images);
  const size_t batch = images.shape()[0], channels = images.shape()[1], side = images.shape()[2];
  expect_shape(op, "images", images, {batch, channels, side, side}, "as they are square");
  expect_shape(op, "drawn", drawn, {batch, augmentation_words}, "to fit images");
  expect_step(op, table, cursor);
  const size_t group = row_group(queue.device().caps(), 64), plane = side * side;
  const auto elements = static_cast<double>(images.elements());
  queue.launch(queue.device().kernel(op, "load_augmented", KernelSpec()),
               {{(plane + group - 1) / group * group, channels, batch}, {group, 1, 1}, 30 * elements, 8 * elements},
               pixels, places, table, cursor, mean, deviation, drawn, images, to_int(op, "the side", side));
}

}  // namespace vitcl::ops
