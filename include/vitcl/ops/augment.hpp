#pragma once

#include <cstdint>

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

/// How far training images are changed at random. Every range is symmetric; all 0: nothing is changed.
struct AugmentOptions {
  float hflip = 0;          ///< probability of a mirror image
  float degrees = 0;        ///< turned by up to so many degrees
  float translate = 0;      ///< shifted by up to this share of the side, each way
  float scale = 0;          ///< zoomed by a factor in [1 - scale, 1 + scale)
  float shear = 0;          ///< sheared by up to so many degrees
  size_t crop_padding = 0;  ///< padded by so many black pixels, then cropped at random: a shift by whole pixels
  float color_jitter = 0;   ///< brightness and contrast times a factor each in [1 - jitter, 1 + jitter)
  float reprob = 0;         ///< probability of an erased rectangle

  bool any() const { return *this != AugmentOptions{}; }
  bool operator==(const AugmentOptions&) const = default;
};

/// Floats that are drawn for an image.
constexpr size_t augmentation_words = 12;

/// Draws each image's changes: drawn: (batch, augmentation_words). The numbers are Philox4x32-10 keyed by `seed`,
/// counted by (block, sample number, epoch, use), so that they depend on neither batch nor device. `side` is the
/// images'; order, table, cursor and epoch as in batch.hpp. The affine map is torchvision's RandomAffine with one shear
/// axis; an erased rectangle's sides are uniform in 1 to half the image's.
void draw_augmentation(Queue& queue, const AugmentOptions& options, uint64_t seed, size_t side, const Tensor& epoch,
                       const Tensor& order, const Tensor& table, const Tensor& cursor, const Tensor& drawn);

/// load_images() of batch.hpp with the changes in `drawn`: bilinear samples, black around the image, then brightness
/// and contrast (about the data set's mean), clipped to [0, 1]; erased pixels are the mean.
void load_augmented_images(Queue& queue, const Tensor& pixels, const Tensor& places, const Tensor& table,
                           const Tensor& cursor, const Tensor& mean, const Tensor& deviation, const Tensor& drawn,
                           const Tensor& images);

}  // namespace vitcl::ops
