// Every function of common/activation.h at n points, n a multiple of 16: both widths, one after the other in each
// result.
#include "common/activation.h"

__kernel void activation_probe(const __global float* x, __global float* exps, __global float* logs,
                               __global float* gelus, __global float* derivatives, int n) {
  const int first = 16 * (int)get_global_id(0);
  const float16 v = vload16(0, x + first);
  vstore16(vitcl_exp16(v), 0, exps + n + first);
  vstore16(vitcl_gelu16(v), 0, gelus + n + first);
  vstore16(vitcl_gelu16_derivative(v), 0, derivatives + n + first);
  for (int i = first; i < first + 16; ++i) {
    exps[i] = vitcl_exp(x[i]);
    gelus[i] = vitcl_gelu(x[i]);
    derivatives[i] = vitcl_gelu_derivative(x[i]);
    logs[i] = vitcl_log(fabs(x[i]));
  }
}
