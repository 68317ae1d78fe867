// x *= factor, elementwise.
//
// WIDTH: see common/flat.h
#ifndef WIDTH
#error "scale.cl needs WIDTH"
#endif
#include "common/flat.h"

__kernel void scale(__global float* x, float factor, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) { vitcl_store_flat(vitcl_load_flat(x, i, n) * factor, x, i, n); }
}
