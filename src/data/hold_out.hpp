#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vitcl/data/dataset.hpp"

namespace vitcl::data {

/// Which samples training is to lack, so that they can be tested on: of each class the first `part`, at least one and
/// not all; none of a class with a single one.
std::vector<bool> held_out(std::span<const int32_t> labels, size_t classes, double part);

/// Makes held-out training images the test images, in place of those that there are; a part of 0 changes nothing. All
/// pixels are in memory.
void hold_out(Dataset& dataset, double part);

}  // namespace vitcl::data
