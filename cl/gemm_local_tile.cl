// c = op(a) op(b) (+ bias) (+ c) for any device, row-major, c of m x n, inner size k: a work-group of TILE x TILE
// work-items computes as many elements of c, one each, and shares what it reads through local memory.
//
// op(a) is (m, k): a, or a transposed where a_transposed is set; op(b) is (k, n) likewise.
//
// Macros:
//   TILE  the work-group's side; TILE * TILE at most the device's work-group size
#ifndef TILE
#error "TILE must be defined"
#endif

#include "common/types.h"

// The element (i, j) of the matrix op(x) of rows x columns, 0 outside.
static inline float element(const __global float* x, int transposed, int i, int j, int rows, int columns) {
  if (i >= rows || j >= columns) return 0.0f;
  return transposed ? x[(size_t)j * rows + i] : x[(size_t)i * columns + j];
}

// Global size: n and m rounded up to TILE. Neighbours in dimension 0 read neighbours in memory in either layout.
__kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void gemm_local_tile(
    const __global float* restrict a, const __global float* restrict b, const __global float* restrict bias,
    __global float* restrict c, int m, int n, int k, int a_transposed, int b_transposed, int has_bias, int accumulate) {
  __local float left[TILE][TILE + 1], right[TILE][TILE + 1];
  const int x = (int)get_local_id(0), y = (int)get_local_id(1);
  const int row0 = (int)get_group_id(1) * TILE, column0 = (int)get_group_id(0) * TILE;
  float sum = 0.0f;
  for (int inner = 0; inner < k; inner += TILE) {
    if (a_transposed) {
      left[x][y] = element(a, 1, row0 + x, inner + y, m, k);
    } else {
      left[y][x] = element(a, 0, row0 + y, inner + x, m, k);
    }
    if (b_transposed) {
      right[x][y] = element(b, 1, inner + x, column0 + y, k, n);
    } else {
      right[y][x] = element(b, 0, inner + y, column0 + x, k, n);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int l = 0; l < TILE; ++l) sum = vitcl_fma(left[y][l], right[l][x], sum);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const int row = row0 + y, column = column0 + x;
  if (row < m && column < n) {
    const size_t at = (size_t)row * n + column;
    if (has_bias) sum += bias[column];
    c[at] = accumulate ? sum + c[at] : sum;
  }
}
