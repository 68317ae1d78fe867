// c = op(a) op(b) (+ bias) (+ c) for CPUs, row-major, c of m x n, inner size k. No work-groups, no local memory.
//
// A work-item owns a block of rows_per_item x panels_per_item panels of c (a panel is WIDTH columns) and one slice of
// the inner size. It walks its slice in chunks; for each chunk and panel it copies that part of op(b) into private
// memory, WIDTH columns side by side, and multiplies tiles of ROWS rows of op(a) with it. A tile's sums stay in vector
// registers. Every element of c is the sum of its chunks' sums in order, however the work is divided among items.
//
// Element (i, l) of op(a) is a[i * a_row + l * a_inner]. op(b) is (k, n): b transposed where b_transposed is set.
//
// Macros:
//   ROWS     rows of a register tile
//   VECTORS  float16 columns of a register tile; ROWS * VECTORS + VECTORS + 1 vectors must fit the registers
//   DEPTH    the longest chunk; DEPTH * VECTORS * 64 bytes of private memory should fit the first-level cache
#if !defined(ROWS) || !defined(VECTORS) || !defined(DEPTH)
#error "ROWS, VECTORS and DEPTH must be defined"
#endif

#include "common/types.h"

#define WIDTH (16 * VECTORS)

// Lets LLVM use 512-bit registers, which it avoids by default on some processors.
#if defined(__has_attribute)
#if VECTORS > 1 && __has_attribute(min_vector_width)
#define WIDE_REGISTERS __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE_REGISTERS
#define WIDE_REGISTERS
#endif

// Steps of a transposition. (Vectors in a vector literal would do as well, but clang turns those into shuffles with
// undefined lanes, at which Oclgrind 21.10 crashes.)
#define PAIRS_LOW(x, y) shuffle2(x, y, (uint8)(0, 8, 1, 9, 4, 12, 5, 13))
#define PAIRS_HIGH(x, y) shuffle2(x, y, (uint8)(2, 10, 3, 11, 6, 14, 7, 15))
#define QUADS_LOW(x, y) shuffle2(x, y, (uint8)(0, 1, 8, 9, 4, 5, 12, 13))
#define QUADS_HIGH(x, y) shuffle2(x, y, (uint8)(2, 3, 10, 11, 6, 7, 14, 15))
#define HALVES_LOW(x, y) shuffle2(x, y, (uint8)(0, 1, 2, 3, 8, 9, 10, 11))
#define HALVES_HIGH(x, y) shuffle2(x, y, (uint8)(4, 5, 6, 7, 12, 13, 14, 15))

// Eight consecutive elements of each of eight rows of `source`, transposed into eight rows of the panel.
static inline void transpose8(const __global float* source, const size_t* row, float* panel) {
  const float8 r0 = vload8(0, source + row[0]), r1 = vload8(0, source + row[1]);
  const float8 r2 = vload8(0, source + row[2]), r3 = vload8(0, source + row[3]);
  const float8 r4 = vload8(0, source + row[4]), r5 = vload8(0, source + row[5]);
  const float8 r6 = vload8(0, source + row[6]), r7 = vload8(0, source + row[7]);
  const float8 p01 = PAIRS_LOW(r0, r1), q01 = PAIRS_HIGH(r0, r1), p23 = PAIRS_LOW(r2, r3), q23 = PAIRS_HIGH(r2, r3);
  const float8 p45 = PAIRS_LOW(r4, r5), q45 = PAIRS_HIGH(r4, r5), p67 = PAIRS_LOW(r6, r7), q67 = PAIRS_HIGH(r6, r7);
  const float8 a0 = QUADS_LOW(p01, p23), a1 = QUADS_HIGH(p01, p23), a2 = QUADS_LOW(q01, q23), a3 = QUADS_HIGH(q01, q23);
  const float8 b0 = QUADS_LOW(p45, p67), b1 = QUADS_HIGH(p45, p67), b2 = QUADS_LOW(q45, q67), b3 = QUADS_HIGH(q45, q67);
  vstore8(HALVES_LOW(a0, b0), 0, panel);
  vstore8(HALVES_LOW(a1, b1), 0, panel + WIDTH);
  vstore8(HALVES_LOW(a2, b2), 0, panel + 2 * WIDTH);
  vstore8(HALVES_LOW(a3, b3), 0, panel + 3 * WIDTH);
  vstore8(HALVES_HIGH(a0, b0), 0, panel + 4 * WIDTH);
  vstore8(HALVES_HIGH(a1, b1), 0, panel + 5 * WIDTH);
  vstore8(HALVES_HIGH(a2, b2), 0, panel + 6 * WIDTH);
  vstore8(HALVES_HIGH(a3, b3), 0, panel + 7 * WIDTH);
}

// panel[l][j] = source[j][l] for l < depth; columns from `columns` on repeat the last one and are never stored.
static inline void pack_transposed(const __global float* source, int stride, int columns, int depth, float* panel) {
  for (int j = 0; j < WIDTH; j += 8) {
    size_t row[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) row[i] = (size_t)min(j + i, columns - 1) * stride;
    int l = 0;
    for (; l + 8 <= depth; l += 8) transpose8(source + l, row, panel + l * WIDTH + j);
    for (; l < depth; ++l) {
#pragma unroll
      for (int i = 0; i < 8; ++i) panel[l * WIDTH + j + i] = source[row[i] + l];
    }
  }
}

// panel[l][j] = source[l][j] for l < depth; columns from `columns` on repeat the last one and are never stored.
static inline void pack_rows(const __global float* source, int stride, int columns, int depth, float* panel) {
  for (int l = 0; l < depth; ++l, source += stride) {
    if (columns >= WIDTH) {
#pragma unroll
      for (int v = 0; v < VECTORS; ++v) vstore16(vload16(v, source), v, panel + l * WIDTH);
    } else {
      for (int j = 0; j < WIDTH; ++j) panel[l * WIDTH + j] = source[min(j, columns - 1)];
    }
  }
}

// One tile: `rows` (at most ROWS) by `columns` (at most WIDTH) elements of c, the sums of `depth` products, plus
// added[i * added_stride + j] where `add` is set.
static inline void multiply_tile(const __global float* a, int a_row, int a_inner, const float* panel, int depth,
                                 __global float* c, int n, int rows, int columns, const __global float* added,
                                 int added_stride, int add) {
  size_t row[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) row[r] = (size_t)min(r, rows - 1) * a_row;
  float16 sum[ROWS][VECTORS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) sum[r][v] = (float16)(0.0f);
  }
  for (int l = 0; l < depth; ++l, a += a_inner) {
    float16 right[VECTORS];
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) right[v] = vload16(v, panel + l * WIDTH);
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const float16 left = (float16)(a[row[r]]);
#pragma unroll
      for (int v = 0; v < VECTORS; ++v) sum[r][v] = vitcl_fma(left, right[v], sum[r][v]);
    }
  }
  if (columns >= WIDTH) {
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      if (r < rows) {
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
          if (add) sum[r][v] += vload16(v, added + (size_t)r * added_stride);
          vstore16(sum[r][v], v, c + (size_t)r * n);
        }
      }
    }
  } else {
    float tile[ROWS * WIDTH];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
      for (int v = 0; v < VECTORS; ++v) vstore16(sum[r][v], r * VECTORS + v, tile);
    }
    for (int r = 0; r < min(rows, ROWS); ++r) {
      for (int j = 0; j < columns; ++j) {
        const float before = add ? added[(size_t)r * added_stride + j] : 0.0f;
        c[(size_t)r * n + j] = tile[r * WIDTH + j] + before;
      }
    }
  }
}

// Global size: (row blocks, panel blocks, slices). Slice s writes c + s m n. `bias` (n) is added where has_bias is set,
// what c held where accumulate is set.
WIDE_REGISTERS __kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_register_tile(
    const __global float* restrict a, const __global float* restrict b, const __global float* restrict bias,
    __global float* restrict c, int m, int n, int k, int a_row, int a_inner, int b_stride, int b_transposed, int chunk,
    int rows_per_item, int panels_per_item, int depth_per_item, int has_bias, int accumulate) {
  float panel[DEPTH * WIDTH] __attribute__((aligned(64)));
  const int row_begin = (int)get_global_id(0) * rows_per_item, row_end = min(row_begin + rows_per_item, m);
  const int column_begin = (int)get_global_id(1) * panels_per_item * WIDTH;
  const int column_end = min(column_begin + panels_per_item * WIDTH, n);
  const int inner_begin = (int)get_global_id(2) * depth_per_item, inner_end = min(inner_begin + depth_per_item, k);
  c += get_global_id(2) * m * n;
  for (int inner = inner_begin; inner < inner_end; inner += chunk) {
    const int depth = min(chunk, inner_end - inner);
    const int is_first = inner == inner_begin;
    const int add_bias = is_first && has_bias;
    const int add = add_bias || accumulate || !is_first;
    for (int column = column_begin; column < column_end; column += WIDTH) {
      if (b_transposed) {
        pack_transposed(b + (size_t)column * b_stride + inner, b_stride, n - column, depth, panel);
      } else {
        pack_rows(b + (size_t)inner * b_stride + column, b_stride, n - column, depth, panel);
      }
      for (int row = row_begin; row < row_end; row += ROWS) {
        __global float* target = c + (size_t)row * n + column;
        multiply_tile(a + (size_t)row * a_row + (size_t)inner * a_inner, a_row, a_inner, panel, depth, target, n,
                      m - row, n - column, add_bias ? bias + column : target, add_bias ? 0 : n, add);
      }
    }
  }
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
