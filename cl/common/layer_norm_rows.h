// Layer normalisation of rows for one work-item of a CPU device, in float16 steps. No kernels here.
#ifndef VITCL_COMMON_LAYER_NORM_ROWS_H
#define VITCL_COMMON_LAYER_NORM_ROWS_H

#include "common/types.h"

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

// y = (x - mean) * rstd * weight + bias for one row.
static inline void normalise_row(const __global float* x, float mean, float rstd, const __global float* weight,
                                 const __global float* bias, __global float* y, int dim) {
  for (int c = 0; c < dim; c += 16) {
    const float16 normal = (load_features(x, c, dim) - mean) * rstd;
    store_features(vitcl_fma(normal, load_features(weight, c, dim), load_features(bias, c, dim)), y, c, dim);
  }
}

// Sets mean, rstd and y.
static inline void layer_norm_rows(const __global float* x, const __global float* weight, const __global float* bias,
                                   float epsilon, __global float* y, __global float* mean, __global float* rstd,
                                   int rows, int dim) {
  for (int r = 0; r < rows; ++r, x += dim, y += dim) {
    float16 sum = 0.0f;
    for (int c = 0; c < dim; c += 16) sum += load_features(x, c, dim);
    const float row_mean = vitcl_sum16(sum) / (float)dim;
    float16 squares = 0.0f;
    for (int c = 0; c < dim; c += 16) {
      const float16 centred = keep_lanes(load_features(x, c, dim) - row_mean, c, dim);
      squares = vitcl_fma(centred, centred, squares);
    }
    const float row_rstd = 1.0f / sqrt(vitcl_sum16(squares) / (float)dim + epsilon);
    normalise_row(x, row_mean, row_rstd, weight, bias, y, dim);
    mean[r] = row_mean;
    rstd[r] = row_rstd;
  }
}

// y again, from the mean and rstd that are known.
static inline void normalise_rows(const __global float* x, const __global float* mean, const __global float* rstd,
                                  const __global float* weight, const __global float* bias, __global float* y, int rows,
                                  int dim) {
  for (int r = 0; r < rows; ++r, x += dim, y += dim) normalise_row(x, mean[r], rstd[r], weight, bias, y, dim);
}

// With n = (x - mean) rstd and g = dy weight: dx = rstd (g - mean(g) - n mean(g n)), (+ dx).
static inline void layer_norm_backward_rows(const __global float* dy, const __global float* x,
                                            const __global float* weight, const __global float* mean,
                                            const __global float* rstd, __global float* dx, int accumulate, int rows,
                                            int dim) {
  for (int r = 0; r < rows; ++r, x += dim, dy += dim, dx += dim) {
    const float row_mean = mean[r], row_rstd = rstd[r];
    float16 g_sum = 0.0f, gn_sum = 0.0f;
    for (int c = 0; c < dim; c += 16) {
      const float16 n = (load_features(x, c, dim) - row_mean) * row_rstd;
      const float16 g = load_features(dy, c, dim) * load_features(weight, c, dim);
      g_sum += g;
      gn_sum = vitcl_fma(g, n, gn_sum);
    }
    const float g_mean = vitcl_sum16(g_sum) / (float)dim, gn_mean = vitcl_sum16(gn_sum) / (float)dim;
    for (int c = 0; c < dim; c += 16) {
      const float16 n = (load_features(x, c, dim) - row_mean) * row_rstd;
      const float16 g = load_features(dy, c, dim) * load_features(weight, c, dim);
      float16 d = (g - g_mean - n * gn_mean) * row_rstd;
      if (accumulate) d += load_features(dx, c, dim);
      store_features(d, dx, c, dim);
    }
  }
}

// dweight = sums of dy n, dbias = sums of dy over the rows, on top of what they hold where `accumulate` is set.
static inline void layer_norm_backward_weights(const __global float* dy, const __global float* x,
                                               const __global float* mean, const __global float* rstd,
                                               __global float* dweight, __global float* dbias, int accumulate, int rows,
                                               int dim) {
  for (int c = 0; c < dim; c += 16) {
    float16 weight_sum = accumulate ? load_features(dweight, c, dim) : (float16)(0.0f);
    float16 bias_sum = accumulate ? load_features(dbias, c, dim) : (float16)(0.0f);
    for (int r = 0; r < rows; ++r) {
      const float16 d = load_features(dy + (size_t)r * dim, c, dim);
      weight_sum = vitcl_fma(d, (load_features(x + (size_t)r * dim, c, dim) - mean[r]) * rstd[r], weight_sum);
      bias_sum += d;
    }
    store_features(weight_sum, dweight, c, dim);
    store_features(bias_sum, dbias, c, dim);
  }
}

#endif
