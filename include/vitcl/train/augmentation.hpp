#pragma once

#include <string>

#include "vitcl/data/dataset.hpp"
#include "vitcl/io/image.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// The changes that suit a data set: small turns, shifts, zooms and shears for digits and for data of an unknown kind
/// (a mirror image may be another class); mirror images, shifts by whole pixels and erased rectangles for clothes
/// (fashion-mnist) and pictures (cifar10, cifar100).
ops::AugmentOptions usual_augmentation(const std::string& data);

/// A grid: one row for each of the first `rows` training images; on the left the image, then what training makes of it
/// in the first `columns` epochs. Where training mixes images they are one batch. Throws UsageError where either is 0
/// or there are fewer images than rows.
io::Image preview_augmentation(Device& device, const TrainConfig& config, const data::Dataset& dataset, size_t rows,
                               size_t columns);

}  // namespace vitcl::train
