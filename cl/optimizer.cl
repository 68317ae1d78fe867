// Optimisers with a learning rate and a weight decay for each parameter, the clipping of gradients, and the average of
// parameters. adam.cl is the plain Adam.
//
// WIDTH: see common/flat.h
// GROUP: work-items that sum squares together
#if !defined(WIDTH) || !defined(GROUP)
#error "optimizer.cl needs WIDTH and GROUP"
#endif
#include "common/flat.h"
#include "common/reduce.h"
#include "common/step.h"

// Two numbers for each 16 elements: the learning rate's factor, 0 where the parameter is frozen, and the weight decay.
#define RATE_FACTOR(factors, i) ((factors)[(i) / 16 * 2])
#define DECAY(factors, i) ((factors)[(i) / 16 * 2 + 1])

// one_minus_beta comes from the host, which knows it better than 1.0f - beta does.
__kernel void adam_with_decay(const __global float* gradients, const __global float* gradient_scale,
                              const __global float* factors, const __global struct StepEntry* table,
                              const __global int* cursor, float one_minus_beta1, float beta2, float one_minus_beta2,
                              float epsilon, int decoupled, __global float* parameters, __global float* m,
                              __global float* v, ulong n, ulong chunk) {
  const struct StepEntry entry = table[*cursor];
  const float scale = *gradient_scale;
  VITCL_FOR_EACH(i, n, chunk) {
    const float rate = entry.learning_rate * RATE_FACTOR(factors, i);
    if (rate == 0.0f) continue;
    const float l2 = decoupled ? 0.0f : DECAY(factors, i), shrink = decoupled ? rate * DECAY(factors, i) : 0.0f;
    const floatW old = vitcl_load_flat(parameters, i, n), old_m = vitcl_load_flat(m, i, n);
    const floatW gradient = scale * vitcl_load_flat(gradients, i, n) + l2 * old;
    const floatW new_m = old_m + one_minus_beta1 * (gradient - old_m);
    const floatW new_v = beta2 * vitcl_load_flat(v, i, n) + one_minus_beta2 * gradient * gradient;
    const floatW update = new_m / (sqrt(new_v) / entry.bias_correction2_sqrt + epsilon);
    vitcl_store_flat(new_m, m, i, n);
    vitcl_store_flat(new_v, v, i, n);
    vitcl_store_flat(old - shrink * old - rate / entry.bias_correction1 * update, parameters, i, n);
  }
}

__kernel void sgd(const __global float* gradients, const __global float* gradient_scale, const __global float* factors,
                  const __global struct StepEntry* table, const __global int* cursor, float momentum, int nesterov,
                  __global float* parameters, __global float* velocity, ulong n, ulong chunk) {
  const float learning_rate = table[*cursor].learning_rate, scale = *gradient_scale;
  VITCL_FOR_EACH(i, n, chunk) {
    const float rate = learning_rate * RATE_FACTOR(factors, i);
    if (rate == 0.0f) continue;
    const floatW old = vitcl_load_flat(parameters, i, n);
    const floatW gradient = scale * vitcl_load_flat(gradients, i, n) + DECAY(factors, i) * old;
    const floatW new_velocity = momentum * vitcl_load_flat(velocity, i, n) + gradient;
    vitcl_store_flat(new_velocity, velocity, i, n);
    const floatW update = nesterov ? gradient + momentum * new_velocity : new_velocity;
    vitcl_store_flat(old - rate * update, parameters, i, n);
  }
}

// Work-group g: the squares of elements g * part to (g + 1) * part, a multiple of 16, that aren't frozen.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void square_sums(const __global float* gradients,
                                                                             const __global float* factors,
                                                                             __global float* sums, ulong n,
                                                                             ulong part) {
  __local float scratch[GROUP];
  const ulong first = get_group_id(0) * part, end = min(n, first + part);
  floatW squares = 0.0f;
  for (ulong i = first + get_local_id(0) * WIDTH; i < end; i += GROUP * WIDTH) {
    const floatW gradient = vitcl_load_flat(gradients, i, n);
    if (RATE_FACTOR(factors, i) != 0.0f) squares += gradient * gradient;
  }
#if WIDTH == 16
  const float sum = vitcl_group_sum(vitcl_sum16(squares), scratch);
#else
  const float sum = vitcl_group_sum(squares, scratch);
#endif
  if (get_local_id(0) == 0) sums[get_group_id(0)] = sum;
}

// One work-group. The addend in the denominator is PyTorch's.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void clip_scale(const __global float* sums, int count,
                                                                            float max_norm, __global float* scale) {
  __local float scratch[GROUP];
  float sum = 0.0f;
  for (int i = (int)get_local_id(0); i < count; i += GROUP) sum += sums[i];
  sum = vitcl_group_sum(sum, scratch);
  if (get_local_id(0) == 0) *scale = fmin(1.0f, max_norm / (sqrt(sum) + 1e-6f));
}

__kernel void moving_average(const __global float* values, float weight, __global float* average, ulong n,
                             ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) {
    const floatW old = vitcl_load_flat(average, i, n);
    vitcl_store_flat(old + weight * (vitcl_load_flat(values, i, n) - old), average, i, n);
  }
}
