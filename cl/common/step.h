// One row of the step table that the host fills. No kernels here.
#ifndef VITCL_COMMON_STEP_H
#define VITCL_COMMON_STEP_H

// Mirrors vitcl::ops::StepEntry in include/vitcl/ops/adam.hpp.
struct StepEntry {
  int first_sample;  // where this step's batch starts in the index buffer
  float learning_rate;
  float bias_correction1;       // 1 - beta1^t
  float bias_correction2_sqrt;  // sqrt(1 - beta2^t)
};

#endif
