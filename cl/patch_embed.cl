// The two ends of the patch embedding: cutting images into patches; class token and positions onto the projected ones.
//
// WIDTH: see common/flat.h
#ifndef WIDTH
#error "patch_embed.cl needs WIDTH"
#endif
#include "common/flat.h"

// images (batch, channels, side, side) to patches (batch, grid * grid, patch * patch * channels), order (p1 p2 c).
// Dimensions 0 and 1: the patch's column and row in the grid; 2: the image. `border` pixels of padding lie left and
// above.
__kernel void cut_patches(const __global float* images, __global float* patches, int channels, int side, int patch,
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
      __global float* target = patches + (cell * patch + p1) * patch_row + c;
      int x = left;
      for (; x < first; ++x, target += channels) *target = pad_value;
      for (; x < last; ++x, target += channels) *target = inside ? source[x] : pad_value;
      for (; x < left + patch; ++x, target += channels) *target = pad_value;
    }
  }
}

// For the n elements behind `offset` in each image's tokens: tokens = source + positions. The source has
// `source_stride` elements an image, 0 for the class token, which all images share. Dimension 1: the image.
__kernel void embed_tokens_forward(const __global float* source, ulong source_stride, const __global float* positions,
                                   __global float* tokens, ulong token_stride, ulong offset, ulong n, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global float* from = source + image * source_stride;
  __global float* to = tokens + image * token_stride + offset;
  VITCL_FOR_EACH(i, n, chunk) {
    vitcl_store_flat(vitcl_load_flat(from, i, n) + vitcl_load_flat(positions + offset, i, n), to, i, n);
  }
}

// dprojected = the n elements behind `offset` of each image's dtokens. Dimension 1: the image.
__kernel void embed_tokens_backward_projected(const __global float* dtokens, ulong token_stride, ulong offset,
                                              __global float* dprojected, int accumulate, ulong n, ulong chunk) {
  const ulong image = get_global_id(1);
  const __global float* from = dtokens + image * token_stride + offset;
  VITCL_FOR_EACH(i, n, chunk) {
    vitcl_store_gradient(vitcl_load_flat(from, i, n), dprojected + image * n, i, n, accumulate);
  }
}

// out = the sum over the batch of the first n elements of each image's dtokens, image after image.
__kernel void embed_tokens_backward_shared(const __global float* dtokens, ulong token_stride, int batch,
                                           __global float* out, int accumulate, ulong n, ulong chunk) {
  VITCL_FOR_EACH(i, n, chunk) {
    floatW sum = 0.0f;
    for (int image = 0; image < batch; ++image) sum += vitcl_load_flat(dtokens + image * token_stride, i, n);
    vitcl_store_gradient(sum, out, i, n, accumulate);
  }
}
