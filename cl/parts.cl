// Gradients of a batch in parts: samples that no buffer can start at, and the sum over the parts.
//
// WIDTH, STORAGE_BITS: see common/flat.h
#ifndef WIDTH
#error "parts.cl needs WIDTH"
#endif
#include "common/flat.h"
#include "common/parts.h"

// target[target_first + i] = source[source_first + i] for i < n.
__kernel void copy_range(const __global stored* source, ulong source_first, __global stored* target, ulong target_first,
                         ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) {
    vitcl_store_stored(vitcl_load_stored(source + source_first, i, n), target + target_first, i, n);
  }
}

// target = the sum of the first n elements of each of `parts` rows, `stride` apart, in a binary tree.
__kernel void sum_parts(const __global float* rows, ulong stride, uint parts, __global float* target, int accumulate,
                        ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) {
    TreeSum sum;
    sum.count = 0;
    for (uint part = 0; part < parts; ++part) add_part(&sum, vitcl_load_flat(rows + part * stride, i, n), part);
    vitcl_store_gradient(sum.branch[0], target, i, n, accumulate);
  }
}
