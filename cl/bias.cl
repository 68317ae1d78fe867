// Bias rows for a product that has no epilogue of its own, and bias gradients: sums over the rows of a row-major matrix
// of rows x columns, in an order that depends on the sizes alone.
//
// STORAGE_BITS: see common/storage.h

#include "common/storage.h"
#include "common/types.h"

// Every row of y becomes the bias. Global size: (columns, rows).
__kernel void bias_rows(const __global float* restrict bias, __global float* restrict y) {
  y[get_global_id(1) * get_global_size(0) + get_global_id(0)] = bias[get_global_id(0)];
}

// target[block][column] (+)= the sum of rows_per_block rows. Global size: (columns, blocks). Run once over the matrix
// and once over the blocks' sums.
__kernel void column_sums(const __global stored* restrict source, __global float* restrict target, int rows,
                          int rows_per_block, int accumulate) {
  const size_t columns = get_global_size(0), column = get_global_id(0);
  const int begin = (int)get_global_id(1) * rows_per_block, end = min(begin + rows_per_block, rows);
  float sum = 0.0f;
  for (int row = begin; row < end; ++row) sum += vitcl_load(source, row * columns + column);
  const size_t at = get_global_id(1) * columns + column;
  target[at] = accumulate ? sum + target[at] : sum;
}

// The same for CPUs, in one launch: a work-item sums 16 columns over all rows, rows i, i + 4, ... in sum i.
// Global size: columns / 16 rounded up.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void column_sums_float16(const __global float* restrict source,
                                                                                 __global float* restrict target,
                                                                                 int rows, int columns,
                                                                                 int accumulate) {
  const int column = (int)get_global_id(0) * 16;
  const int lanes = min(16, columns - column);
  source += column;
  target += column;
  if (lanes == 16) {
    float16 sum[4] = {(float16)(0.0f), (float16)(0.0f), (float16)(0.0f), (float16)(0.0f)};
    int row = 0;
    for (; row + 4 <= rows; row += 4) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] += vload16(0, source + (size_t)(row + i) * columns);
    }
    for (; row < rows; ++row) sum[0] += vload16(0, source + (size_t)row * columns);
    float16 total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    if (accumulate) total += vload16(0, target);
    vstore16(total, 0, target);
  } else {
    for (int lane = 0; lane < lanes; ++lane) {
      float sum = 0.0f;
      for (int row = 0; row < rows; ++row) sum += source[(size_t)row * columns + lane];
      target[lane] = accumulate ? sum + target[lane] : sum;
    }
  }
}
