// The windows of a convolution over a square of tokens (im2col), and their way back (col2im).
//
// x is (batch, side, side, channels), windows (batch, grid, grid, window, window, channels): window (i, j) begins
// `border` rows and columns before the token (i * stride, j * stride). Dimension 2: the image.
//
// WIDTH, STORAGE_BITS: see common/flat.h
#ifndef WIDTH
#error "unfold.cl needs WIDTH"
#endif
#include "common/flat.h"

static inline void fill(__global stored* target, float value, int count) {
  for (int i = 0; i < count; i += WIDTH) vitcl_store_stored((floatW)(value), target, i, count);
}

static inline void copy(const __global stored* source, __global stored* target, int count) {
  for (int i = 0; i < count; i += WIDTH) vitcl_store_stored(vitcl_load_stored(source, i, count), target, i, count);
}

// Dimensions 0 and 1: the window's column and row. What lies outside x is pad_value.
__kernel void unfold_forward(const __global stored* x, __global stored* windows, int side, int channels, int window,
                             int stride, int border, float pad_value) {
  const ulong grid = get_global_size(0), image = get_global_id(2);
  const int left = (int)get_global_id(0) * stride - border, top = (int)get_global_id(1) * stride - border;
  const int first = clamp(-left, 0, window), last = clamp(side - left, 0, window);  // columns inside x
  const int row = window * channels;
  __global stored* target = windows + ((image * grid + get_global_id(1)) * grid + get_global_id(0)) * window * row;
  for (int y = top; y < top + window; ++y, target += row) {
    if (y < 0 || y >= side || first >= last) {
      fill(target, pad_value, row);
      continue;
    }
    fill(target, pad_value, first * channels);
    copy(x + ((image * side + y) * side + left + first) * channels, target + first * channels,
         (last - first) * channels);
    fill(target + last * channels, pad_value, (window - last) * channels);
  }
}

// The windows along one axis that hold the token `at`: from the first to before the last.
static inline int2 holders(int at, int window, int stride, int border, int grid) {
  const int end = at + border;
  return (int2)(end < window ? 0 : (end - window) / stride + 1, min(end / stride + 1, grid));
}

// Dimensions 0 and 1: the token's column and row.
__kernel void unfold_backward(const __global stored* dwindows, __global stored* dx, int accumulate, int grid,
                              int channels, int window, int stride, int border) {
  const int column = (int)get_global_id(0), row = (int)get_global_id(1);
  const ulong image = get_global_id(2);
  const int2 rows = holders(row, window, stride, border, grid);
  const int2 columns = holders(column, window, stride, border, grid);
  const __global stored* source = dwindows + image * grid * grid * window * window * channels;
  __global stored* target = dx + ((image * get_global_size(1) + row) * get_global_size(0) + column) * channels;
  for (int c = 0; c < channels; c += WIDTH) {
    floatW sum = 0.0f;
    for (int i = rows.x; i < rows.y; ++i) {
      for (int j = columns.x; j < columns.y; ++j) {
        const int place = (row + border - i * stride) * window + column + border - j * stride;
        sum += vitcl_load_stored(source + ((i * grid + j) * window * window + place) * channels, c, channels);
      }
    }
    vitcl_store_stored_gradient(sum, target, c, channels, accumulate);
  }
}
