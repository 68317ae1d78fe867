#pragma once

#include "checks.hpp"

namespace vitcl::ops {

/// What the ops that fetch images take, as in batch.hpp: bytes, where among them the images are, how they are
/// normalised, and where they go.
inline void expect_image_source(std::string_view op, const Tensor& pixels, const Tensor& places, const Tensor& mean,
                                const Tensor& deviation, const Tensor& images) {
  expect_rank(op, "pixels", pixels, 4);
  expect_rank(op, "images", images, 4);
  const Shape& all = pixels.shape();
  expect_shape(op, "pixels", pixels, all, "as the data set is kept in bytes", DType::u8);
  expect_shape(op, "images", images, {images.shape()[0], all[1], all[2], all[3]}, "to fit pixels");
  expect_numbers(op, "places", places);
  expect_shape(op, "mean", mean, {all[1]}, "to fit pixels");
  expect_shape(op, "deviation", deviation, {all[1]}, "to fit pixels");
}

}  // namespace vitcl::ops
