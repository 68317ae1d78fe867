// Every function of common/activation.h and the powers and logarithms of common/lanes.h at n points, for the self-test.
// n is a multiple of 16.
//
// Macros:
//   LANES  16, the width of the vectors
#ifndef LANES
#error "LANES must be defined"
#endif

#include "common/activation.h"
#include "common/lanes.h"

// Both widths, one after the other in each result; logarithms of |x|, which a vector takes to base 2.
__kernel void activation_probe(const __global float* x, __global float* exps, __global float* logs,
                               __global float* gelus, __global float* derivatives, __global float* powers, int n) {
  const int first = 16 * (int)get_global_id(0);
  const float16 v = vload16(0, x + first);
  vstore16(vitcl_exp16(v), 0, exps + n + first);
  vstore16(log2_lanes(fabs(v)), 0, logs + n + first);
  vstore16(vitcl_gelu16(v), 0, gelus + n + first);
  vstore16(vitcl_gelu16_derivative(v), 0, derivatives + n + first);
  vstore16(exp2_lanes(v), 0, powers + first);
  for (int i = first; i < first + 16; ++i) {
    exps[i] = vitcl_exp(x[i]);
    gelus[i] = vitcl_gelu(x[i]);
    derivatives[i] = vitcl_gelu_derivative(x[i]);
    logs[i] = vitcl_log(fabs(x[i]));
  }
}
