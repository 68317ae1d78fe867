#pragma once

#include <cstdint>

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

/// What one optimiser step needs to know, made on the host in double and read by the device: entry t of a step table.
/// Mirrors `struct StepEntry` in cl/common/step.h.
struct StepEntry {
  int32_t first_sample;  ///< where this step's batch starts in the index buffer
  float learning_rate;
  float bias_correction1;       ///< 1 - beta1^t
  float bias_correction2_sqrt;  ///< sqrt(1 - beta2^t)
};

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};

/// One step of Adam with bias correction (Kingma, Ba 2014), as PyTorch computes it:
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  p -= lr / c1 * m / (sqrt(v) / sqrt(c2) + epsilon)
/// parameters, gradients, m, v: (n)   table: (steps, 4) of StepEntry   cursor: (1) i32, the row of the table to use
void adam(Queue& queue, const Tensor& gradients, const AdamOptions& options, const Tensor& table, const Tensor& cursor,
          const Tensor& parameters, const Tensor& m, const Tensor& v);

}  // namespace vitcl::ops
