// From tokens (batch, tokens, dim) to one vector (batch, dim) an image: the class token or the mean of the visible
// ones. In all kernels dimension 0 is the feature and dimension 1 the image.
//
// WIDTH, STORAGE_BITS: see common/flat.h
#ifndef WIDTH
#error "pool.cl needs WIDTH"
#endif
#include "common/flat.h"

__kernel void cls_pool_forward(const __global stored* tokens, __global stored* y, int token_count, ulong dim,
                               ulong chunk) {
  const ulong image = get_global_id(1);
  VITCL_FOR_EACH(i, dim, chunk) {
    vitcl_store_stored(vitcl_load_stored(tokens + image * token_count * dim, i, dim), y + image * dim, i, dim);
  }
}

__kernel void cls_pool_backward(const __global stored* dy, __global stored* dtokens, int accumulate, int token_count,
                                ulong dim, ulong chunk) {
  const ulong image = get_global_id(1);
  __global stored* target = dtokens + image * token_count * dim;
  VITCL_FOR_EACH(i, dim, chunk) {
    vitcl_store_stored_gradient(vitcl_load_stored(dy + image * dim, i, dim), target, i, dim, accumulate);
    if (!accumulate) {
      for (int t = 1; t < token_count; ++t) vitcl_store_stored((floatW)(0.0f), target + t * dim, i, dim);
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
__kernel void mean_pool_forward(const __global stored* tokens, const __global uchar* mask, int has_mask, int leading,
                                int patches, __global stored* y, ulong dim, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global uchar* visible = has_mask ? mask + image * patches : mask;
  const __global stored* source = tokens + (image * (leading + patches) + leading) * dim;
  const float weight = mean_weight(visible, has_mask, patches);
  VITCL_FOR_EACH(i, dim, chunk) {
    floatW sum = 0.0f;
    for (int p = 0; p < patches; ++p) {
      if (is_visible(visible, has_mask, p)) sum += vitcl_load_stored(source + p * dim, i, dim);
    }
    vitcl_store_stored(sum * weight, y + image * dim, i, dim);
  }
}

__kernel void mean_pool_backward(const __global stored* dy, const __global uchar* mask, int has_mask, int leading,
                                 int patches, __global stored* dtokens, int accumulate, ulong dim, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global uchar* visible = has_mask ? mask + image * patches : mask;
  const float weight = mean_weight(visible, has_mask, patches);
  VITCL_FOR_EACH(i, dim, chunk) {
    const floatW d = vitcl_load_stored(dy + image * dim, i, dim) * weight;
    for (int t = 0; t < leading + patches; ++t) {
      __global stored* target = dtokens + (image * (leading + patches) + t) * dim;
      if (t >= leading && is_visible(visible, has_mask, t - leading)) {
        vitcl_store_stored_gradient(d, target, i, dim, accumulate);
      } else if (!accumulate) {
        vitcl_store_stored((floatW)(0.0f), target, i, dim);
      }
    }
  }
}
