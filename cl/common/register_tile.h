// A matrix product for one work-item of a CPU device: register tiles and a panel in private memory. No kernels here.
//
// c = op(a) op(b), row-major, is made panel by panel; a panel is WIDTH columns of c. That part of op(b) is copied into
// private memory, WIDTH columns side by side, and tiles of ROWS rows of op(a) are multiplied with it, their sums in
// vector registers. Every element of c is one chain of products in the order of the inner index, on top of its bias.
//
// ROWS     rows of a register tile
// VECTORS  float16 columns of a register tile; ROWS * VECTORS + VECTORS + 1 vectors must fit the registers
#ifndef VITCL_COMMON_REGISTER_TILE_H
#define VITCL_COMMON_REGISTER_TILE_H

#include "common/types.h"

#define WIDTH (16 * VECTORS)

// The longest chunk of the inner size: a panel takes 16 KiB of a first-level cache, 32 where the tile is wide.
#define DEPTH (VECTORS > 1 ? 512 / VECTORS : 256)

// Lets LLVM use 512-bit registers, which it avoids by default on some processors.
#if defined(__has_attribute)
#if VECTORS > 1 && __has_attribute(min_vector_width)
#define WIDE_REGISTERS __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE_REGISTERS
#define WIDE_REGISTERS
#endif
#if defined(__has_attribute)
#if __has_attribute(noinline)
#define NOINLINE __attribute__((noinline))
#endif
#endif
#ifndef NOINLINE
#define NOINLINE
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

// c (rows, columns) = op(a) op(b) + bias + added. Strides are in elements.
typedef struct {
  const __global float* a;  // op(a)(i, l) is a[i * a_row + l * a_inner]
  int a_row, a_inner;
  const __global float* b;  // op(b)(l, j) is b[l * b_row + j], or b[j * b_row + l] where b_transposed is set
  int b_row, b_transposed;
  __global float* c;
  int c_row;
  const __global float* bias;   // (columns), or null
  const __global float* added;  // (rows, columns), or null; may be c
  int added_row;
  int rows, columns, inner;
} Product;

// One tile: `rows` (at most ROWS) by `columns` (at most WIDTH) elements of c, the sums of `depth` products on top of
// `start`, plus added[i * added_row + j] where `added` is not null.
static inline void multiply_tile(const __global float* a, int a_row, int a_inner, const float* panel, int depth,
                                 const float* start, __global float* c, int c_row, int rows, int columns,
                                 const __global float* added, int added_row) {
  size_t row[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) row[r] = (size_t)min(r, rows - 1) * a_row;
  float16 sum[ROWS][VECTORS];
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) sum[r][v] = vload16(v, start);
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
          if (added) sum[r][v] += vload16(v, added + (size_t)r * added_row);
          vstore16(sum[r][v], v, c + (size_t)r * c_row);
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
        const float before = added ? added[(size_t)r * added_row + j] : 0.0f;
        c[(size_t)r * c_row + j] = tile[r * WIDTH + j] + before;
      }
    }
  }
}

// start[j] = bias[j], or 0 where there is none; columns from `columns` on repeat the last one.
static inline void load_start(const __global float* bias, int columns, float* start) {
  for (int j = 0; j < WIDTH; ++j) start[j] = bias ? bias[min(j, columns - 1)] : 0.0f;
}

// The whole product, in chunks of at most `longest` of the inner size. Not inlined: a kernel that makes many products
// would grow with each.
WIDE_REGISTERS static NOINLINE void multiply(const Product* p, int longest) {
  float panel[DEPTH * WIDTH] __attribute__((aligned(64)));
  float start[WIDTH] __attribute__((aligned(64)));
  const int chunk = min(longest, DEPTH);
  for (int inner = 0; inner < p->inner; inner += chunk) {
    const int depth = min(chunk, p->inner - inner);
    const __global float* added = inner == 0 ? p->added : p->c;
    const int added_row = inner == 0 ? p->added_row : p->c_row;
    for (int column = 0; column < p->columns; column += WIDTH) {
      const int columns = p->columns - column;
      load_start(inner == 0 && p->bias ? p->bias + column : 0, columns, start);
      if (p->b_transposed) {
        pack_transposed(p->b + (size_t)column * p->b_row + inner, p->b_row, columns, depth, panel);
      } else {
        pack_rows(p->b + (size_t)inner * p->b_row + column, p->b_row, columns, depth, panel);
      }
      for (int row = 0; row < p->rows; row += ROWS) {
        multiply_tile(p->a + (size_t)row * p->a_row + (size_t)inner * p->a_inner, p->a_row, p->a_inner, panel, depth,
                      start, p->c + (size_t)row * p->c_row + column, p->c_row, p->rows - row, columns,
                      added ? added + (size_t)row * added_row + column : 0, added_row);
      }
    }
  }
}

#endif
