// c = op(a) op(b) (+ bias) (+ c) for CPUs, row-major, c of m x n, inner size k. No work-groups, no local memory.
//
// A work-item owns a block of rows_per_item x panels_per_item panels of c and one slice of the inner size. Every
// element of c is the sum of its slice's products in order, however the work is divided among items.
//
// Element (i, l) of op(a) is a[i * a_row + l * a_inner]. op(b) is (k, n): b transposed where b_transposed is set.
//
// Macros, see common/register_tile.h:
//   ROWS     rows of a register tile
//   VECTORS  float16 columns of a register tile
#if !defined(ROWS) || !defined(VECTORS)
#error "gemm_register_tile.cl: ROWS and VECTORS must be defined"
#endif

#include "common/register_tile.h"

// Global size: (row blocks, panel blocks, slices). Slice s writes c + s m n. `bias` (n) is added where has_bias is set,
// what c held where accumulate is set.
WIDE_REGISTERS __kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_register_tile(
    const __global float* a, const __global float* b, const __global float* bias, __global float* c, int m, int n,
    int k, int a_row, int a_inner, int b_row, int b_transposed, int rows_per_item, int panels_per_item,
    int depth_per_item, int has_bias, int accumulate) {
  const int row = (int)get_global_id(0) * rows_per_item;
  const int column = (int)get_global_id(1) * panels_per_item * WIDTH;
  const int inner = (int)get_global_id(2) * depth_per_item;
  Product p;
  p.a = a + (size_t)row * a_row + (size_t)inner * a_inner;
  p.a_row = a_row, p.a_inner = a_inner;
  p.b = b_transposed ? b + (size_t)column * b_row + inner : b + (size_t)inner * b_row + column;
  p.b_row = b_row, p.b_transposed = b_transposed;
  p.c = c + get_global_id(2) * m * n + (size_t)row * n + column;
  p.c_row = n;
  p.bias = has_bias ? bias + column : 0;
  p.added = accumulate ? p.c : 0;
  p.added_row = n;
  p.rows = min(rows_per_item, m - row);
  p.columns = min(panels_per_item * WIDTH, n - column);
  p.inner = min(depth_per_item, k - inner);
  multiply(&p);
}

// target = the sum of `slices` arrays of `count` floats, first to last, (+ target). A work-item sums 64 elements.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_sum_slices(const __global float* restrict slices,
                                                                             __global float* restrict target,
                                                                             int slice_count, int count,
                                                                             int accumulate) {
  const int begin = (int)get_global_id(0) * 64;
  for (int i = begin; i < min(begin + 64, count); i += 16) {
    const int lanes = min(16, count - i);
    if (lanes == 16) {
      float16 sum = vload16(0, slices + i);
      for (int s = 1; s < slice_count; ++s) sum += vload16(0, slices + (size_t)s * count + i);
      if (accumulate) sum += vload16(0, target + i);
      vstore16(sum, 0, target + i);
    } else {
      for (int j = i; j < count; ++j) {
        float sum = slices[j];
        for (int s = 1; s < slice_count; ++s) sum += slices[(size_t)s * count + j];
        target[j] = accumulate ? sum + target[j] : sum;
      }
    }
  }
}
