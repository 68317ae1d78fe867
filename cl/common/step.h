// The step table that the host fills, and which samples a step takes. No kernels here.
#ifndef VITCL_COMMON_STEP_H
#define VITCL_COMMON_STEP_H

// Mirrors vitcl::ops::StepEntry in include/vitcl/ops/adam.hpp.
struct StepEntry {
  int first_sample;  // where this step's batch starts in the index buffer
  float learning_rate;
  float bias_correction1;       // 1 - beta1^t
  float bias_correction2_sqrt;  // sqrt(1 - beta2^t)
};

// What `order`, which may hold sample numbers or places of images, says of the batch's i-th sample.
static inline int vitcl_step_sample(const __global int* order, const __global struct StepEntry* table,
                                    const __global int* cursor, ulong i) {
  return order[table[*cursor].first_sample + (int)i];
}

#endif
