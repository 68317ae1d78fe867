#pragma once

#include <cstdint>

#include "vitcl/data/dataset.hpp"

namespace vitcl::data {

/// The built-in handwriting: digits drawn as strokes in several styles, each image with its own slant, rotation, size,
/// shift, pen width, wobble and noise. 28 x 28 pixels, white on black, ten classes.
///
/// Image `index` of a split is a function of (seed, split, index) alone, in integer arithmetic only: the same bytes on
/// every platform and with any number of threads. Drawing stops at `train` and `test` images.
Dataset draw_digits(uint64_t seed, size_t train = 60000, size_t test = 10000);

}  // namespace vitcl::data
