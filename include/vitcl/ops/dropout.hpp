#pragma once

#include <cstdint>

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

struct DropoutOptions {
  float rate = 0;              ///< the probability of 0; 0 <= rate < 1
  uint32_t use = 0;            ///< tells a model's dropouts from one another
  bool whole_samples = false;  ///< stochastic depth (Huang et al. 2016): a sample is dropped whole or not at all
};

// Dropout (Srivastava et al. 2014): y = x / (1 - rate), or 0 with probability `rate`; as PyTorch and timm scale it. No
// mask is stored: backward draws the same random numbers again, Philox4x32-10 keyed by a sample's row of `draws`,
// counted by (element, use). They don't depend on where in a batch, or on which device, a sample lies.
//   x, y, dy, dx: (batch, ...)   draws: (batch, 4) i32, as load_draws (batch.hpp) writes them

void dropout_forward(Queue& queue, const Tensor& x, const Tensor& draws, const DropoutOptions& options,
                     const Tensor& y);
void dropout_backward(Queue& queue, const Tensor& dy, const Tensor& draws, const DropoutOptions& options, GradMode mode,
                      const Tensor& dx);

}  // namespace vitcl::ops
