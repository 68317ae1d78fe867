// Layer normalisation over rows of `dim` features: y = (x - mean) * rstd * weight + bias.
//
// GROUP: 0: a work-item takes a block of rows in float16 steps (CPU devices). Else a work-group of GROUP work-items
// shares each row (the others).
#ifndef GROUP
#error "layer_norm.cl needs GROUP"
#endif
#include "common/reduce.h"
#include "common/types.h"

#if GROUP == 0

// The lanes that lie before dim in the vector at feature c; the others hold 0 and are not stored.
static inline float16 load_features(const __global float* row, int c, int dim) {
  return c + 16 <= dim ? vload16(0, row + c) : vitcl_load_partial(row + c, dim - c, 0.0f);
}

static inline void store_features(float16 value, __global float* row, int c, int dim) {
  if (c + 16 <= dim) {
    vstore16(value, 0, row + c);
  } else {
    vitcl_store_partial(value, row + c, dim - c);
  }
}

// value with 0 in the lanes that do not lie before dim.
static inline float16 keep_lanes(float16 value, int c, int dim) {
  const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return c + 16 <= dim ? value : select((float16)(0.0f), value, lane < (dim - c));
}

__kernel void layer_norm_forward(const __global float* x, const __global float* weight, const __global float* bias,
                                 float epsilon, __global float* y, __global float* mean, __global float* rstd, int rows,
                                 int dim, int block) {
  const int first = (int)get_global_id(0) * block, last = min(first + block, rows);
  for (int r = first; r < last; ++r) {
    const __global float* x_row = x + (ulong)r * dim;
    __global float* y_row = y + (ulong)r * dim;
    float16 sum = 0.0f;
    for (int c = 0; c < dim; c += 16) sum += load_features(x_row, c, dim);
    const float row_mean = vitcl_sum16(sum) / (float)dim;
    float16 squares = 0.0f;
    for (int c = 0; c < dim; c += 16) {
      const float16 centred = keep_lanes(load_features(x_row, c, dim) - row_mean, c, dim);
      squares = vitcl_fma(centred, centred, squares);
    }
    const float row_rstd = 1.0f / sqrt(vitcl_sum16(squares) / (float)dim + epsilon);
    for (int c = 0; c < dim; c += 16) {
      const float16 normal = (load_features(x_row, c, dim) - row_mean) * row_rstd;
      store_features(vitcl_fma(normal, load_features(weight, c, dim), load_features(bias, c, dim)), y_row, c, dim);
    }
    mean[r] = row_mean;
    rstd[r] = row_rstd;
  }
}

// With n = (x - mean) rstd and g = dy weight: dx = rstd (g - mean(g) - n mean(g n)).
// Each work-item also sums its slice of rows into partials (slices, 2, dim): dy n, then dy.
__kernel void layer_norm_backward(const __global float* dy, const __global float* x, const __global float* weight,
                                  const __global float* mean, const __global float* rstd, __global float* dx,
                                  int accumulate, __global float* partials, int rows, int dim, int slice) {
  const int first = (int)get_global_id(0) * slice, last = min(first + slice, rows);
  for (int r = first; r < last; ++r) {
    const __global float* x_row = x + (ulong)r * dim;
    const __global float* dy_row = dy + (ulong)r * dim;
    __global float* dx_row = dx + (ulong)r * dim;
    const float row_mean = mean[r], row_rstd = rstd[r];
    float16 g_sum = 0.0f, gn_sum = 0.0f;
    for (int c = 0; c < dim; c += 16) {
      const float16 n = (load_features(x_row, c, dim) - row_mean) * row_rstd;
      const float16 g = load_features(dy_row, c, dim) * load_features(weight, c, dim);
      g_sum += g;
      gn_sum = vitcl_fma(g, n, gn_sum);
    }
    const float g_mean = vitcl_sum16(g_sum) / (float)dim, gn_mean = vitcl_sum16(gn_sum) / (float)dim;
    for (int c = 0; c < dim; c += 16) {
      const float16 n = (load_features(x_row, c, dim) - row_mean) * row_rstd;
      const float16 g = load_features(dy_row, c, dim) * load_features(weight, c, dim);
      float16 d = (g - g_mean - n * gn_mean) * row_rstd;
      if (accumulate) d += load_features(dx_row, c, dim);
      store_features(d, dx_row, c, dim);
    }
  }
  __global float* weight_sums = partials + (ulong)get_global_id(0) * 2 * dim;
  for (int c = 0; c < dim; c += 16) {
    float16 weight_sum = 0.0f, bias_sum = 0.0f;
    for (int r = first; r < last; ++r) {
      const float16 d = load_features(dy + (ulong)r * dim, c, dim);
      weight_sum = vitcl_fma(d, (load_features(x + (ulong)r * dim, c, dim) - mean[r]) * rstd[r], weight_sum);
      bias_sum += d;
    }
    store_features(weight_sum, weight_sums, c, dim);
    store_features(bias_sum, weight_sums + dim, c, dim);
  }
}

#else

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void layer_norm_forward(
    const __global float* x, const __global float* weight, const __global float* bias, float epsilon, __global float* y,
    __global float* mean, __global float* rstd, int dim) {
  __local float scratch[GROUP];
  const ulong r = get_group_id(0);
  const int item = (int)get_local_id(0);
  const __global float* x_row = x + r * dim;
  __global float* y_row = y + r * dim;
  float sum = 0.0f;
  for (int c = item; c < dim; c += GROUP) sum += x_row[c];
  const float row_mean = vitcl_group_sum(sum, scratch) / (float)dim;
  float squares = 0.0f;
  for (int c = item; c < dim; c += GROUP) squares = vitcl_fma(x_row[c] - row_mean, x_row[c] - row_mean, squares);
  const float row_rstd = 1.0f / sqrt(vitcl_group_sum(squares, scratch) / (float)dim + epsilon);
  for (int c = item; c < dim; c += GROUP) y_row[c] = (x_row[c] - row_mean) * row_rstd * weight[c] + bias[c];
  if (item == 0) {
    mean[r] = row_mean;
    rstd[r] = row_rstd;
  }
}

// dx alone, in the notation above; the partial sums are the next kernel's.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void layer_norm_backward(
    const __global float* dy, const __global float* x, const __global float* weight, const __global float* mean,
    const __global float* rstd, __global float* dx, int accumulate, int dim) {
  __local float scratch[GROUP];
  const ulong r = get_group_id(0);
  const int item = (int)get_local_id(0);
  const __global float* x_row = x + r * dim;
  const __global float* dy_row = dy + r * dim;
  __global float* dx_row = dx + r * dim;
  const float row_mean = mean[r], row_rstd = rstd[r];
  float g_sum = 0.0f, gn_sum = 0.0f;
  for (int c = item; c < dim; c += GROUP) {
    const float g = dy_row[c] * weight[c];
    g_sum += g;
    gn_sum = vitcl_fma(g, (x_row[c] - row_mean) * row_rstd, gn_sum);
  }
  const float g_mean = vitcl_group_sum(g_sum, scratch) / (float)dim;
  const float gn_mean = vitcl_group_sum(gn_sum, scratch) / (float)dim;
  for (int c = item; c < dim; c += GROUP) {
    const float n = (x_row[c] - row_mean) * row_rstd;
    const float d = (dy_row[c] * weight[c] - g_mean - n * gn_mean) * row_rstd;
    dx_row[c] = accumulate ? dx_row[c] + d : d;
  }
}

// partials (slices, 2, dim). Dimension 0: the feature; 1: the slice of rows.
__kernel void layer_norm_partials(const __global float* dy, const __global float* x, const __global float* mean,
                                  const __global float* rstd, __global float* partials, int rows, int dim, int slice) {
  const int c = (int)get_global_id(0), s = (int)get_global_id(1);
  const int first = s * slice, last = min(first + slice, rows);
  float weight_sum = 0.0f, bias_sum = 0.0f;
  for (int r = first; r < last; ++r) {
    const float d = dy[(ulong)r * dim + c];
    weight_sum = vitcl_fma(d, (x[(ulong)r * dim + c] - mean[r]) * rstd[r], weight_sum);
    bias_sum += d;
  }
  partials[(ulong)s * 2 * dim + c] = weight_sum;
  partials[((ulong)s * 2 + 1) * dim + c] = bias_sum;
}

#endif

// dweight and dbias from the partial sums, slice after slice. Dimension 0: the feature.
__kernel void layer_norm_parameters(const __global float* partials, int slices, __global float* dweight,
                                    __global float* dbias, int accumulate, int dim) {
  const int c = (int)get_global_id(0);
  float weight_sum = 0.0f, bias_sum = 0.0f;
  for (int s = 0; s < slices; ++s) {
    weight_sum += partials[(ulong)s * 2 * dim + c];
    bias_sum += partials[((ulong)s * 2 + 1) * dim + c];
  }
  dweight[c] = accumulate ? dweight[c] + weight_sum : weight_sum;
  dbias[c] = accumulate ? dbias[c] + bias_sum : bias_sum;
}
