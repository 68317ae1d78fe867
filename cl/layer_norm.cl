// Layer normalisation over rows of `dim` features: y = (x - mean) * rstd * weight + bias.
//
// GROUP: 0: a work-item takes a block of rows in float16 steps (CPU devices). Else a work-group of GROUP work-items
// shares each row (the others).
// STORAGE_BITS: see common/storage.h; 16 goes with groups
#ifndef GROUP
#error "layer_norm.cl needs GROUP"
#endif
#include "common/layer_norm_rows.h"
#include "common/reduce.h"
#include "common/storage.h"

#if GROUP == 0

__kernel void layer_norm_forward(const __global float* x, const __global float* weight, const __global float* bias,
                                 float epsilon, __global float* y, __global float* mean, __global float* rstd, int rows,
                                 int dim, int block) {
  const int first = (int)get_global_id(0) * block;
  const size_t offset = (size_t)first * dim;
  layer_norm_rows(x + offset, weight, bias, epsilon, y + offset, mean + first, rstd + first, min(block, rows - first),
                  dim);
}

// dx; and each work-item sums its slice of rows into partials (slices, 2, dim): those of dweight, then of dbias.
__kernel void layer_norm_backward(const __global float* dy, const __global float* x, const __global float* weight,
                                  const __global float* mean, const __global float* rstd, __global float* dx,
                                  int has_dx, int accumulate, __global float* partials, int rows, int dim, int slice) {
  const int first = (int)get_global_id(0) * slice, count = min(slice, rows - first);
  const size_t offset = (size_t)first * dim;
  dy += offset, x += offset, dx += offset, mean += first, rstd += first;
  __global float* sums = partials + get_global_id(0) * 2 * dim;
  if (has_dx) layer_norm_backward_rows(dy, x, weight, mean, rstd, dx, accumulate, count, dim);
  layer_norm_backward_weights(dy, x, mean, rstd, sums, sums + dim, 0, count, dim);
}

#else

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void layer_norm_forward(
    const __global stored* x, const __global float* weight, const __global float* bias, float epsilon,
    __global stored* y, __global float* mean, __global float* rstd, int dim) {
  __local float scratch[GROUP];
  const ulong r = get_group_id(0);
  const int item = (int)get_local_id(0);
  const __global stored* x_row = x + r * dim;
  __global stored* y_row = y + r * dim;
  float sum = 0.0f;
  for (int c = item; c < dim; c += GROUP) sum += vitcl_load(x_row, c);
  const float row_mean = vitcl_group_sum(sum, scratch) / (float)dim;
  float squares = 0.0f;
  for (int c = item; c < dim; c += GROUP) {
    const float centred = vitcl_load(x_row, c) - row_mean;
    squares = vitcl_fma(centred, centred, squares);
  }
  const float row_rstd = 1.0f / sqrt(vitcl_group_sum(squares, scratch) / (float)dim + epsilon);
  for (int c = item; c < dim; c += GROUP) {
    vitcl_store((vitcl_load(x_row, c) - row_mean) * row_rstd * weight[c] + bias[c], y_row, c);
  }
  if (item == 0) {
    mean[r] = row_mean;
    rstd[r] = row_rstd;
  }
}

// dx alone; the partial sums are the next kernel's.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void layer_norm_backward(
    const __global stored* dy, const __global stored* x, const __global float* weight, const __global float* mean,
    const __global float* rstd, __global stored* dx, int accumulate, int dim) {
  __local float scratch[GROUP];
  const ulong r = get_group_id(0);
  const int item = (int)get_local_id(0);
  const __global stored* x_row = x + r * dim;
  const __global stored* dy_row = dy + r * dim;
  __global stored* dx_row = dx + r * dim;
  const float row_mean = mean[r], row_rstd = rstd[r];
  float g_sum = 0.0f, gn_sum = 0.0f;
  for (int c = item; c < dim; c += GROUP) {
    const float g = vitcl_load(dy_row, c) * weight[c];
    g_sum += g;
    gn_sum = vitcl_fma(g, (vitcl_load(x_row, c) - row_mean) * row_rstd, gn_sum);
  }
  const float g_mean = vitcl_group_sum(g_sum, scratch) / (float)dim;
  const float gn_mean = vitcl_group_sum(gn_sum, scratch) / (float)dim;
  for (int c = item; c < dim; c += GROUP) {
    const float n = (vitcl_load(x_row, c) - row_mean) * row_rstd;
    const float d = (vitcl_load(dy_row, c) * weight[c] - g_mean - n * gn_mean) * row_rstd;
    vitcl_store(accumulate ? vitcl_load(dx_row, c) + d : d, dx_row, c);
  }
}

// partials (slices, 2, dim). Dimension 0: the feature; 1: the slice of rows.
__kernel void layer_norm_partials(const __global stored* dy, const __global stored* x, const __global float* mean,
                                  const __global float* rstd, __global float* partials, int rows, int dim, int slice) {
  const int c = (int)get_global_id(0), s = (int)get_global_id(1);
  const int first = s * slice, last = min(first + slice, rows);
  float weight_sum = 0.0f, bias_sum = 0.0f;
  for (int r = first; r < last; ++r) {
    const float d = vitcl_load(dy, (ulong)r * dim + c);
    weight_sum = vitcl_fma(d, (vitcl_load(x, (ulong)r * dim + c) - mean[r]) * rstd[r], weight_sum);
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
