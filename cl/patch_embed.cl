// The two ends of the patch embedding: cutting images into patches; class token and positions onto the projected ones.
//
// WIDTH, STORAGE_BITS: see common/flat.h
#ifndef WIDTH
#error "patch_embed.cl needs WIDTH"
#endif
#include "common/flat.h"

// images (batch, channels, side, side) to patches (batch, grid * grid, patch * patch * channels), order (p1 p2 c).
// Dimensions 0 and 1: the patch's column and row in the grid; 2: the image. `border` pixels of padding lie left and
// above.
__kernel void cut_patches(const __global float* images, __global stored* patches, int channels, int side, int patch,
                          int border, float pad_value) {
  const ulong grid = get_global_size(0), image = get_global_id(2);
  const ulong cell = (image * grid + get_global_id(1)) * grid + get_global_id(0);
  const int top = (int)get_global_id(1) * patch - border, left = (int)get_global_id(0) * patch - border;
  const int first = max(left, 0), last = min(left + patch, side);  // columns inside the image
  const ulong plane = (ulong)side * side, patch_row = (ulong)patch * channels;
  for (int p1 = 0; p1 < patch; ++p1) {
    const int y = top + p1;
    const bool inside = y >= 0 && y < side;
    for (int c = 0; c < channels; ++c) {
      const __global float* source = images + (image * channels + c) * plane + (inside ? (ulong)y * side : 0);
      __global stored* target = patches + (cell * patch + p1) * patch_row + c;
      int x = left;
      for (; x < first; ++x, target += channels) vitcl_store(pad_value, target, 0);
      for (; x < last; ++x, target += channels) vitcl_store(inside ? source[x] : pad_value, target, 0);
      for (; x < left + patch; ++x, target += channels) vitcl_store(pad_value, target, 0);
    }
  }
}

// tokens = source + positions for the n elements behind `offset` in each image's tokens; of the source an image has n.
// Dimension 1: the image.
__kernel void embed_tokens_forward(const __global stored* source, const __global float* positions,
                                   __global stored* tokens, ulong token_stride, ulong offset, ulong n, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global stored* from = source + image * n;
  __global stored* to = tokens + image * token_stride + offset;
  VITCL_FOR_EACH(i, n, chunk) {
    vitcl_store_stored(vitcl_load_stored(from, i, n) + vitcl_load_flat(positions + offset, i, n), to, i, n);
  }
}

// The first n elements of each image's tokens = class_token + positions. Dimension 1: the image.
__kernel void embed_class_token(const __global float* class_token, const __global float* positions,
                                __global stored* tokens, ulong token_stride, ulong n, ulong chunk) {
  __global stored* to = tokens + get_global_id(1) * token_stride;
  VITCL_FOR_EACH(i, n, chunk) {
    vitcl_store_stored(vitcl_load_flat(class_token, i, n) + vitcl_load_flat(positions, i, n), to, i, n);
  }
}

// dprojected = the n elements behind `offset` of each image's dtokens. Dimension 1: the image.
__kernel void embed_tokens_backward_projected(const __global stored* dtokens, ulong token_stride, ulong offset,
                                              __global stored* dprojected, int accumulate, ulong n, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global stored* from = dtokens + image * token_stride + offset;
  VITCL_FOR_EACH(i, n, chunk) {
    vitcl_store_stored_gradient(vitcl_load_stored(from, i, n), dprojected + image * n, i, n, accumulate);
  }
}

// out = the sum over the batch of the first n elements of each image's dtokens, image after image.
__kernel void embed_tokens_backward_shared(const __global stored* dtokens, ulong token_stride, int batch,
                                           __global float* out, int accumulate, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) {
    floatW sum = 0.0f;
    for (int image = 0; image < batch; ++image) sum += vitcl_load_stored(dtokens + image * token_stride, i, n);
    vitcl_store_gradient(sum, out, i, n, accumulate);
  }
}
