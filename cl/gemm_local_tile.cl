// c = op(a) op(b) (+ bias) (+ c) for any device, row-major, c of m x n, inner size k: a work-group of TILE x TILE
// work-items computes as many elements of c, one each, and shares what it reads through local memory.
//
// op(a) is (m, k): a, or a transposed where a_transposed is set; op(b) is (k, n) likewise.
//
// Macros:
//   TILE                    the work-group's side; TILE * TILE at most the device's work-group size
//   A_BITS, B_BITS, C_BITS  what each matrix is kept in (common/storage.h); 32 where they are not defined
#ifndef TILE
#error "TILE must be defined"
#endif

#include "common/storage.h"
#include "common/types.h"

#ifndef A_BITS
#define A_BITS 32
#endif
#ifndef B_BITS
#define B_BITS 32
#endif
#ifndef C_BITS
#define C_BITS 32
#endif

// The element (i, j) of the matrix op(x) of rows x columns, 0 outside.
#define DEFINE_ELEMENT(NAME, BITS)                                                                                     \
  static inline float NAME(const __global VITCL_TYPE(BITS) * x, int transposed, int i, int j, int rows, int columns) { \
    if (i >= rows || j >= columns) return 0.0f;                                                                        \
    return transposed ? VITCL_LOAD(BITS, x, (size_t)j * rows + i) : VITCL_LOAD(BITS, x, (size_t)i * columns + j);      \
  }
DEFINE_ELEMENT(element_of_a, A_BITS)
DEFINE_ELEMENT(element_of_b, B_BITS)

// Global size: n and m rounded up to TILE. Neighbours in dimension 0 read neighbours in memory in either layout.
__kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void gemm_local_tile(
    const __global VITCL_TYPE(A_BITS) * restrict a, const __global VITCL_TYPE(B_BITS) * restrict b,
    const __global float* restrict bias, __global VITCL_TYPE(C_BITS) * restrict c, int m, int n, int k,
    int a_transposed, int b_transposed, int has_bias, int accumulate) {
  __local float left[TILE][TILE + 1], right[TILE][TILE + 1];
  const int x = (int)get_local_id(0), y = (int)get_local_id(1);
  const int row0 = (int)get_group_id(1) * TILE, column0 = (int)get_group_id(0) * TILE;
  float sum = 0.0f;
  for (int inner = 0; inner < k; inner += TILE) {
    if (a_transposed) {
      left[x][y] = element_of_a(a, 1, row0 + x, inner + y, m, k);
    } else {
      left[y][x] = element_of_a(a, 0, row0 + y, inner + x, m, k);
    }
    if (b_transposed) {
      right[x][y] = element_of_b(b, 1, inner + x, column0 + y, k, n);
    } else {
      right[y][x] = element_of_b(b, 0, inner + y, column0 + x, k, n);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int l = 0; l < TILE; ++l) sum = vitcl_fma(left[y][l], right[l][x], sum);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const int row = row0 + y, column = column0 + x;
  if (row < m && column < n) {
    const size_t at = (size_t)row * n + column;
    if (has_bias) sum += bias[column];
    VITCL_STORE(C_BITS, accumulate ? sum + VITCL_LOAD(C_BITS, c, at) : sum, c, at);
  }
}
