// A convolution for CPUs, by the register tiles of common/register_tile.h. No work-groups, no local memory.
//
// x lies in padded squares: (batch, padded side, padded side, channels). So each of a window's rows is a run of
// `run` = window * channels consecutive elements, `pitch` elements from the row before, and nothing has to be copied to
// make a matrix of windows: only where a row of that matrix begins is no longer a multiple of its length.
//
// Macros, see common/register_tile.h:
//   ROWS     rows of a register tile
//   VECTORS  float16 columns of a register tile
#if !defined(ROWS) || !defined(VECTORS)
#error "convolution.cl: ROWS and VECTORS must be defined"
#endif

#include "common/register_tile.h"

// The windows: grid x grid of them in each padded square of side * side * channels elements.
typedef struct {
  int grid, side, stride, channels;
} Grid;

// A window, and where it begins.
typedef struct {
  int row, column;
  size_t begin;
} Place;

static inline Place place_of(const Grid* g, int window) {
  const int image = window / (g->grid * g->grid), row = window / g->grid % g->grid, column = window % g->grid;
  const size_t token = ((size_t)image * g->side + row * g->stride) * g->side + column * g->stride;
  return (Place){row, column, token * g->channels};
}

// The next window, in the next image behind the last row.
static inline void advance(const Grid* g, Place* place) {
  size_t tokens = g->stride;
  if (++place->column == g->grid) {
    place->column = 0;
    tokens += g->stride * (g->side - g->grid);
    if (++place->row == g->grid) {
      place->row = 0;
      tokens += (g->side - g->stride * g->grid) * g->side;
    }
  }
  place->begin += tokens * g->channels;
}

// What a work-item makes of y: `rows` windows from the one at `first` on.
typedef struct {
  Grid grid;
  const __global float* x;
  const __global float* w;
  const __global float* bias;   // or null
  const __global float* added;  // or null; may be y
  __global float* y;
  int window, run, pitch, out, flipped;
  int first, rows;
} Convolution;

// The factors of `depth` elements of a window's row, from `inner` on, for the outputs from `column` on. Flipped, w is
// read as the transposed convolution does: (window, window, outputs) of it for each channel of x, from the last place.
static inline void pack_weights(const Convolution* p, int row, int inner, int depth, int column, float* panel) {
  const int columns = p->out - column;
  if (!p->flipped) {
    const int length = p->window * p->run;
    pack_transposed(p->w + (size_t)column * length + row * p->run + inner, length, columns, depth, panel);
    return;
  }
  const int places = p->window * p->window;
  for (int l = 0; l < depth; ++l, panel += WIDTH) {
    const int place = places - 1 - row * p->window - (inner + l) / p->grid.channels;
    const int channel = (inner + l) % p->grid.channels;
    pack_rows(p->w + ((size_t)channel * places + place) * p->out + column, 0, columns, 1, panel);
  }
}

// `count` rows of every window, from `row` on, and one packed panel: `depth` elements of each, from `inner` on.
WIDE_REGISTERS static NOINLINE void convolve_panel(const Convolution* p, int row, int count, int inner, int depth,
                                                   int column, const float* panel) {
  const bool begins = row == 0 && inner == 0;
  float start[WIDTH] __attribute__((aligned(64)));
  load_start(begins && p->bias ? p->bias + column : 0, p->out - column, WIDTH, start);
  const __global float* added = begins ? p->added : p->y;
  Place place = place_of(&p->grid, p->first);
  for (int i = 0; i < p->rows; i += ROWS) {
    size_t begin[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      begin[r] = place.begin;
      if (i + r + 1 < p->rows) advance(&p->grid, &place);
    }
    Tile sum;
    start_tile(&sum, start);
    for (int k = 0; k < count; ++k) {
      add_products(&sum, p->x + (size_t)(row + k) * p->pitch + inner, begin, 1, panel + k * depth * WIDTH, depth);
    }
    const size_t at = (size_t)(p->first + i) * p->out + column;
    store_tile(&sum, p->y + at, p->out, p->rows - i, p->out - column, added ? added + at : 0, p->out);
  }
}

// y = the windows of x times w + bias (+ y); or, flipped, the gradient of a convolution of stride 1, x being the padded
// gradient of its output. Global size: (blocks of windows, blocks of panels).
WIDE_REGISTERS __kernel __attribute__((reqd_work_group_size(1, 1, 1))) void convolve(
    const __global float* x, const __global float* w, const __global float* bias, __global float* y, int windows,
    int grid, int side, int stride, int channels, int window, int out, int windows_per_item, int panels_per_item,
    int has_bias, int flipped, int accumulate) {
  Convolution p;
  p.grid = (Grid){grid, side, stride, channels};
  p.x = x, p.w = w, p.y = y;
  p.bias = has_bias ? bias : 0;
  p.added = accumulate ? y : 0;
  p.window = window, p.run = window * channels, p.pitch = side * channels, p.out = out, p.flipped = flipped;
  p.first = (int)get_global_id(0) * windows_per_item;
  p.rows = min(windows_per_item, windows - p.first);
  // As many whole rows of a window as can be packed at a time, or pieces of one.
  float packed[PACKED] __attribute__((aligned(64)));
  const int most = PACKED / WIDTH, count = clamp(most / p.run, 1, window), piece = min(p.run, most);
  const int begin = (int)get_global_id(1) * panels_per_item * WIDTH;
  for (int column = begin; column < min(begin + panels_per_item * WIDTH, out); column += WIDTH) {
    for (int row = 0; row < window; row += count) {
      for (int inner = 0; inner < p.run; inner += piece) {
        const int rows = min(count, window - row), depth = min(piece, p.run - inner);
        for (int k = 0; k < rows; ++k) pack_weights(&p, row + k, inner, depth, column, packed + k * depth * WIDTH);
        convolve_panel(&p, row, rows, inner, depth, column, packed);
      }
    }
  }
}

// `depth` windows from the one at `first` on, of which `columns` elements at `inside` are wanted.
static inline void pack_windows(const Grid* g, const __global float* inside, int first, int depth, int columns,
                                float* panel) {
  Place place = place_of(g, first);
  for (int l = 0; l < depth; ++l, panel += WIDTH) {
    pack_rows(inside + place.begin, 0, columns, 1, panel);
    advance(g, &place);
  }
}

// dw = dyᵀ times the windows of x (+ dw), (out, window * window * channels). A panel lies in one row of the windows.
// Global size: (blocks of outputs, blocks of panels, slices of the windows); slice s writes dw + s times dw's size.
WIDE_REGISTERS __kernel __attribute__((reqd_work_group_size(1, 1, 1))) void convolution_weight_gradient(
    const __global float* dy, const __global float* x, __global float* dw, int windows, int grid, int side, int stride,
    int channels, int window, int out, int outputs_per_item, int panels_per_item, int windows_per_slice,
    int accumulate) {
  const Grid g = {grid, side, stride, channels};
  const int run = window * channels, panels = (run + WIDTH - 1) / WIDTH;
  const int output = (int)get_global_id(0) * outputs_per_item, first = (int)get_global_id(2) * windows_per_slice;
  Product p;
  p.a = dy + (size_t)first * out + output;
  p.a_row = 1, p.a_inner = out;
  p.b = 0, p.b_row = 0, p.b_transposed = 0;  // packed here
  p.c_row = window * run;
  p.c = dw + (get_global_id(2) * out + output) * p.c_row;
  p.bias = 0;
  p.added = accumulate ? p.c : 0;
  p.added_row = p.c_row;
  p.rows = min(outputs_per_item, out - output);
  p.inner = min(windows_per_slice, windows - first);
  float packed[STRIDED_DEPTH * WIDTH] __attribute__((aligned(64)));
  const int begin = (int)get_global_id(1) * panels_per_item, end = min(begin + panels_per_item, window * panels);
  for (int inner = 0; inner < p.inner; inner += STRIDED_DEPTH) {
    const int depth = min(STRIDED_DEPTH, p.inner - inner);
    for (int panel = begin; panel < end; ++panel) {
      const int row = panel / panels, column = panel % panels * WIDTH;
      pack_windows(&g, x + (size_t)row * side * channels + column, first + inner, depth, run - column, packed);
      p.columns = (row + 1) * run;
      multiply_panel(&p, inner, depth, row * run + column, packed);
    }
  }
}
