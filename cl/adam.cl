// One step of Adam with bias correction over flat buffers, in PyTorch's order of operations.
//
// WIDTH: see common/flat.h
#ifndef WIDTH
#error "adam.cl needs WIDTH"
#endif
#include "common/flat.h"
#include "common/step.h"

// one_minus_beta comes from the host, which knows it better than 1.0f - beta does.
__kernel void adam(const __global float* gradients, const __global struct StepEntry* table, const __global int* cursor,
                   float one_minus_beta1, float beta2, float one_minus_beta2, float epsilon, __global float* parameters,
                   __global float* m, __global float* v, ulong n, ulong chunk) {
  const struct StepEntry entry = table[*cursor];
  const float step_size = entry.learning_rate / entry.bias_correction1;
  VITCL_FOR_EACH(i, n, chunk) {
    const floatW gradient = vitcl_load_flat(gradients, i, n);
    const floatW old_m = vitcl_load_flat(m, i, n);
    const floatW new_m = old_m + one_minus_beta1 * (gradient - old_m);
    const floatW new_v = beta2 * vitcl_load_flat(v, i, n) + one_minus_beta2 * gradient * gradient;
    const floatW update = new_m / (sqrt(new_v) / entry.bias_correction2_sqrt + epsilon);
    vitcl_store_flat(new_m, m, i, n);
    vitcl_store_flat(new_v, v, i, n);
    vitcl_store_flat(vitcl_load_flat(parameters, i, n) - step_size * update, parameters, i, n);
  }
}
