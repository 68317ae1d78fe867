// From tokens (batch, tokens, dim) to one vector (batch, dim) an image: the class token or the mean of the visible
// ones. In all kernels dimension 0 is the feature and dimension 1 the image.
//
// WIDTH: see common/flat.h
#ifndef WIDTH
#error "pool.cl needs WIDTH"
#endif
#include "common/flat.h"

__kernel void cls_pool_forward(const __global float* tokens, __global float* y, int token_count, ulong dim,
                               ulong chunk) {
  const ulong image = get_global_id(1);
  VITCL_FOR_EACH(i, dim, chunk) {
    vitcl_store_flat(vitcl_load_flat(tokens + image * token_count * dim, i, dim), y + image * dim, i, dim);
  }
}

__kernel void cls_pool_backward(const __global float* dy, __global float* dtokens, int accumulate, int token_count,
                                ulong dim, ulong chunk) {
  const ulong image = get_global_id(1);
  __global float* target = dtokens + image * token_count * dim;
  VITCL_FOR_EACH(i, dim, chunk) {
    vitcl_store_gradient(vitcl_load_flat(dy + image * dim, i, dim), target, i, dim, accumulate);
    if (!accumulate) {
      for (int t = 1; t < token_count; ++t) vitcl_store_flat((floatW)(0.0f), target + t * dim, i, dim);
    }
  }
}

// The patches that the mean is taken over; without a mask all of them.
static inline int is_visible(const __global uchar* mask, int has_mask, int patch) {
  return has_mask ? mask[patch] != 0 : 1;
}

static inline float mean_weight(const __global uchar* mask, int has_mask, int patches) {
  int count = 0;
  for (int p = 0; p < patches; ++p) count += is_visible(mask, has_mask, p);
  return count > 0 ? 1.0f / (float)count : 0.0f;
}

// Patch p is token leading + p. Without a mask `mask` is any buffer and has_mask 0.
__kernel void mean_pool_forward(const __global float* tokens, const __global uchar* mask, int has_mask, int leading,
                                int patches, __global float* y, ulong dim, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global uchar* visible = has_mask ? mask + image * patches : mask;
  const __global float* source = tokens + (image * (leading + patches) + leading) * dim;
  const float weight = mean_weight(visible, has_mask, patches);
  VITCL_FOR_EACH(i, dim, chunk) {
    floatW sum = 0.0f;
    for (int p = 0; p < patches; ++p) {
      if (is_visible(visible, has_mask, p)) sum += vitcl_load_flat(source + p * dim, i, dim);
    }
    vitcl_store_flat(sum * weight, y + image * dim, i, dim);
  }
}

__kernel void mean_pool_backward(const __global float* dy, const __global uchar* mask, int has_mask, int leading,
                                 int patches, __global float* dtokens, int accumulate, ulong dim, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global uchar* visible = has_mask ? mask + image * patches : mask;
  const float weight = mean_weight(visible, has_mask, patches);
  VITCL_FOR_EACH(i, dim, chunk) {
    const floatW d = vitcl_load_flat(dy + image * dim, i, dim) * weight;
    for (int t = 0; t < leading + patches; ++t) {
      __global float* target = dtokens + (image * (leading + patches) + t) * dim;
      if (t >= leading && is_visible(visible, has_mask, t - leading)) {
        vitcl_store_gradient(d, target, i, dim, accumulate);
      } else if (!accumulate) {
        vitcl_store_flat((floatW)(0.0f), target, i, dim);
      }
    }
  }
}
