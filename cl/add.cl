// The residual connection, y = a + b, elementwise.
//
// WIDTH, STORAGE_BITS: see common/flat.h
#ifndef WIDTH
#error "add.cl needs WIDTH"
#endif
#include "common/flat.h"

__kernel void add_forward(const __global stored* a, const __global stored* b, __global stored* y, ulong n,
                          ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) { vitcl_store_stored(vitcl_load_stored(a, i, n) + vitcl_load_stored(b, i, n), y, i, n); }
}

__kernel void add_backward(const __global stored* dy, __global stored* dx, int accumulate, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) { vitcl_store_stored_gradient(vitcl_load_stored(dy, i, n), dx, i, n, accumulate); }
}
