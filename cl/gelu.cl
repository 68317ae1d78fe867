// The exact GELU, y = x Phi(x), elementwise.
//
// WIDTH, STORAGE_BITS: see common/flat.h
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

__kernel void gelu_forward(const __global stored* x, __global stored* y, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) { vitcl_store_stored(GELU(vitcl_load_stored(x, i, n)), y, i, n); }
}

__kernel void gelu_backward(const __global stored* dy, const __global stored* x, __global stored* dx, int accumulate,
                            ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) {
    const floatW d = vitcl_load_stored(dy, i, n) * GELU_DERIVATIVE(vitcl_load_stored(x, i, n));
    vitcl_store_stored_gradient(d, dx, i, n, accumulate);
  }
}
