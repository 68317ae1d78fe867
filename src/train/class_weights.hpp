#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// The weights that --class-weights lists; none in an empty text and in "balanced". Throws UsageError where one is not
/// a number above 0.
std::vector<float> given_class_weights(const std::string& text);

/// Each class's weight in the loss, for training on images with these labels. Balanced weights are inverse to the
/// classes' numbers of images, 1 on the mean over the images; a class without any has 1. Throws UsageError unless as
/// many are given as the model has classes.
std::vector<float> class_weights(const TrainConfig& config, std::span<const int32_t> labels);

}  // namespace vitcl::train
