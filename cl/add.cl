// The residual connection, y = a + b, elementwise.
//
// WIDTH: see common/flat.h
#ifndef WIDTH
#error "add.cl needs WIDTH"
#endif
#include "common/flat.h"

__kernel void add_forward(const __global float* a, const __global float* b, __global float* y, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) { vitcl_store_flat(vitcl_load_flat(a, i, n) + vitcl_load_flat(b, i, n), y, i, n); }
}

__kernel void add_backward(const __global float* dy, __global float* dx, int accumulate, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) { vitcl_store_gradient(vitcl_load_flat(dy, i, n), dx, i, n, accumulate); }
}
