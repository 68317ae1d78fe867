#pragma once

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

/// x *= factor, elementwise; exact where the factor is a power of two and no result leaves the normal numbers.
void scale(Queue& queue, const Tensor& x, float factor);

}  // namespace vitcl::ops
