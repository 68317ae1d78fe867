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

// How many elements of op(b) are packed at a time: what stays in the second-level cache beside op(a).
#define PACKED 16384

// The longest chunk of the inner size, for one panel. Longer than the first-level cache would like: what a panel costs
// to start and to add to c weighs more than its way from the second.
#define DEPTH min(512, PACKED / WIDTH)

// The same where op(a) is read across its rows: short, so that the cache lines a tile reads serve the next one too.
#define STRIDED_DEPTH 64

// From this stride on (elements) those lines compete for few places of the cache. Then a strip of op(a) is packed too,
// for as many panels as can be packed at a time.
#define FAR 512

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
#if __has_attribute(noinline) && __has_attribute(always_inline)
#define NOINLINE __attribute__((noinline))
#define INLINE __attribute__((always_inline)) inline
#endif
#endif
#ifndef NOINLINE
#define NOINLINE
#define INLINE inline
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

// A tile's sums; of VECTORS vectors a row.
typedef struct {
  float16 of[ROWS][VECTORS];
} Tile;

// Adds a[row[r] + l * inner] * panel[l] to row r of the sums, for l < depth. Once for op(a) where it lies, once for a
// strip of it in private memory.
#define VITCL_DEFINE_ADD_PRODUCTS(NAME, SPACE)                                                                        \
  static INLINE void NAME(Tile* sum, const SPACE float* a, const size_t* row, int inner, const float* panel,          \
                          int depth) {                                                                                \
    for (int l = 0; l < depth; ++l, a += inner, panel += WIDTH) {                                                     \
      float16 right[VECTORS];                                                                                         \
      _Pragma("unroll") for (int v = 0; v < VECTORS; ++v) right[v] = vload16(v, panel);                               \
      _Pragma("unroll") for (int r = 0; r < ROWS; ++r) {                                                              \
        const float16 left = (float16)(a[row[r]]);                                                                    \
        _Pragma("unroll") for (int v = 0; v < VECTORS; ++v) sum->of[r][v] = vitcl_fma(left, right[v], sum->of[r][v]); \
      }                                                                                                               \
    }                                                                                                                 \
  }

VITCL_DEFINE_ADD_PRODUCTS(add_products, __global)
VITCL_DEFINE_ADD_PRODUCTS(add_strip_products, )

// Every row of the tile = start.
static INLINE void start_tile(Tile* sum, const float* start) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) sum->of[r][v] = vload16(v, start);
  }
}

// c[i * c_row + j] = the sums, plus added[i * added_row + j] where `added` is not null, for the tile's first `rows`
// rows and `columns` columns, as far as it has them.
static INLINE void store_tile(const Tile* sum, __global float* c, int c_row, int rows, int columns,
                              const __global float* added, int added_row) {
  if (columns >= WIDTH) {
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      if (r < rows) {
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) {
          const float16 before = added ? vload16(v, added + (size_t)r * added_row) : (float16)(0.0f);
          vstore16(sum->of[r][v] + before, v, c + (size_t)r * c_row);
        }
      }
    }
  } else {
    float tile[ROWS * WIDTH];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
#pragma unroll
      for (int v = 0; v < VECTORS; ++v) vstore16(sum->of[r][v], r * VECTORS + v, tile);
    }
    for (int r = 0; r < min(rows, ROWS); ++r) {
      for (int j = 0; j < columns; ++j) {
        const float before = added ? added[(size_t)r * added_row + j] : 0.0f;
        c[(size_t)r * c_row + j] = tile[r * WIDTH + j] + before;
      }
    }
  }
}

// start[j] = bias[j], or 0 where there is none, for j < count; columns from `columns` on repeat the last one.
static inline void load_start(const __global float* bias, int columns, int count, float* start) {
  for (int j = 0; j < count; ++j) start[j] = bias ? bias[min(j, columns - 1)] : 0.0f;
}

// strip[l][r] = op(a)(row + r, inner + l) for l < depth; rows that are not there repeat the last one.
static inline void pack_strip(const Product* p, int inner, int depth, int row, float* strip) {
  const __global float* a = p->a + (size_t)row * p->a_row + (size_t)inner * p->a_inner;
  for (int l = 0; l < depth; ++l, a += p->a_inner) {
#pragma unroll
    for (int r = 0; r < ROWS; ++r) strip[l * ROWS + r] = a[(size_t)min(r, p->rows - row - 1) * p->a_row];
  }
}

// The columns from `column` on, for the chunk of `depth` at `inner`: `panels` panels, packed one after the other.
static inline void pack_panels(const Product* p, int inner, int depth, int column, int panels, float* packed) {
  for (int i = 0; i < panels; ++i, column += WIDTH, packed += depth * WIDTH) {
    if (p->b_transposed) {
      pack_transposed(p->b + (size_t)column * p->b_row + inner, p->b_row, p->columns - column, depth, packed);
    } else {
      pack_rows(p->b + (size_t)inner * p->b_row + column, p->b_row, p->columns - column, depth, packed);
    }
  }
}

// What comes on top of the products of a chunk: what p->added says in the first chunk, then what c holds.
static inline const __global float* added_row(const Product* p, int inner, int row, int column) {
  if (inner > 0) return p->c + (size_t)row * p->c_row + column;
  return p->added ? p->added + (size_t)row * p->added_row + column : 0;
}

// One chunk of the inner size for all rows and one packed panel. Functions of their own, not inlined, so that the
// registers are theirs alone.
WIDE_REGISTERS static NOINLINE void multiply_panel(const Product* p, int inner, int depth, int column,
                                                   const float* panel) {
  float start[WIDTH] __attribute__((aligned(64)));
  load_start(inner == 0 && p->bias ? p->bias + column : 0, p->columns - column, WIDTH, start);
  for (int i = 0; i < p->rows; i += ROWS) {
    size_t row[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) row[r] = (size_t)min(r, p->rows - i - 1) * p->a_row;
    Tile sum;
    start_tile(&sum, start);
    add_products(&sum, p->a + (size_t)i * p->a_row + (size_t)inner * p->a_inner, row, p->a_inner, panel, depth);
    store_tile(&sum, p->c + (size_t)i * p->c_row + column, p->c_row, p->rows - i, p->columns - column,
               added_row(p, inner, i, column), inner > 0 ? p->c_row : p->added_row);
  }
}

// The same for several panels, which lie one after the other, and a packed strip of op(a) for each tile.
WIDE_REGISTERS static NOINLINE void multiply_panels_far(const Product* p, int inner, int depth, int column, int panels,
                                                        const float* packed) {
  float strip[STRIDED_DEPTH * ROWS];
  float start[PACKED / STRIDED_DEPTH] __attribute__((aligned(64)));
  load_start(inner == 0 && p->bias ? p->bias + column : 0, p->columns - column, panels * WIDTH, start);
  size_t strip_row[ROWS];
  for (int r = 0; r < ROWS; ++r) strip_row[r] = r;
  for (int i = 0; i < p->rows; i += ROWS) {
    pack_strip(p, inner, depth, i, strip);
    for (int j = 0; j < panels * WIDTH; j += WIDTH) {
      Tile sum;
      start_tile(&sum, start + j);
      add_strip_products(&sum, strip, strip_row, ROWS, packed + j * depth, depth);
      store_tile(&sum, p->c + (size_t)i * p->c_row + column + j, p->c_row, p->rows - i, p->columns - column - j,
                 added_row(p, inner, i, column + j), inner > 0 ? p->c_row : p->added_row);
    }
  }
}

// The whole product. Not inlined either: a kernel that makes many products would grow with each.
WIDE_REGISTERS static NOINLINE void multiply(const Product* p) {
  float packed[PACKED] __attribute__((aligned(64)));
  const int longest = p->a_inner == 1 ? DEPTH : STRIDED_DEPTH;
  const int chunks = (p->inner + longest - 1) / longest;
  const int chunk = (p->inner + chunks - 1) / chunks;
  const int most = p->a_inner >= FAR ? PACKED / (WIDTH * STRIDED_DEPTH) : 1;
  for (int inner = 0; inner < p->inner; inner += chunk) {
    const int depth = min(chunk, p->inner - inner);
    for (int column = 0; column < p->columns; column += most * WIDTH) {
      const int panels = min(most, (p->columns - column + WIDTH - 1) / WIDTH);
      pack_panels(p, inner, depth, column, panels, packed);
      if (most > 1) {
        multiply_panels_far(p, inner, depth, column, panels, packed);
      } else {
        multiply_panel(p, inner, depth, column, packed);
      }
    }
  }
}

#endif
