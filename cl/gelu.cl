// The exact GELU, y = x Phi(x), elementwise.
//
// WIDTH: see common/flat.h
#ifndef WIDTH
#error "gelu.cl needs WIDTH"
#endif
#include "common/activation.h"
#include "common/flat.h"

#if WIDTH == 16
#define GELU vitcl_gelu16
#define GELU_DERIVATIVE vitcl_gelu16_derivative
#else
#define GELU vitcl_gelu
#define GELU_DERIVATIVE vitcl_gelu_derivative
#endif

__kernel void gelu_forward(const __global float* x, __global float* y, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) { vitcl_store_flat(GELU(vitcl_load_flat(x, i, n)), y, i, n); }
}

__kernel void gelu_backward(const __global float* dy, const __global float* x, __global float* dx, int accumulate,
                            ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) {
    const floatW d = vitcl_load_flat(dy, i, n) * GELU_DERIVATIVE(vitcl_load_flat(x, i, n));
    vitcl_store_gradient(d, dx, i, n, accumulate);
  }
}
