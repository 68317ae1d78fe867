// What cl/encoder_block.cl keeps where. No kernels here.
#ifndef VITCL_COMMON_ENCODER_BLOCK_H
#define VITCL_COMMON_ENCODER_BLOCK_H

#include "common/dropout.h"

typedef struct {
  int tokens, queries, dim, heads, mlp_dim;
  int leading;  // tokens that no mask hides
  float scale, epsilon;
  int has_qkv_bias;
  uint attention_use, mlp_use, threshold;  // of stochastic depth, see common/dropout.h; threshold 0: none
  float kept;
  Dropout dropout;  // of attention's probabilities; its draws are those of the first image
} Block;

// The parameters, in the order in which a slice holds their gradients. Weights are (out, in), row-major.
enum {
  NORM1_WEIGHT,
  NORM1_BIAS,
  QKV_WEIGHT,
  QKV_BIAS,
  PROJECTION_WEIGHT,
  PROJECTION_BIAS,
  NORM2_WEIGHT,
  NORM2_BIAS,
  UP_WEIGHT,
  UP_BIAS,
  DOWN_WEIGHT,
  DOWN_BIAS,
  PARAMETERS
};

static inline int parameter_size(const Block* b, int parameter) {
  switch (parameter) {
    case QKV_WEIGHT:
      return 3 * b->dim * b->dim;
    case QKV_BIAS:
      return b->has_qkv_bias ? 3 * b->dim : 0;
    case PROJECTION_WEIGHT:
      return b->dim * b->dim;
    case UP_WEIGHT:
    case DOWN_WEIGHT:
      return b->mlp_dim * b->dim;
    case UP_BIAS:
      return b->mlp_dim;
    default:
      return b->dim;
  }
}

// Where the gradient of each parameter starts in slice `index`; null for a qkv_bias that is not there.
static inline void gradients_of(const Block* b, __global float* slices, size_t index, __global float** gradients) {
  size_t offset = 0;
  for (int p = 0; p < PARAMETERS; offset += parameter_size(b, p++)) gradients[p] = slices + offset;
  for (int p = 0; p < PARAMETERS; ++p) gradients[p] += index * offset;
  if (!b->has_qkv_bias) gradients[QKV_BIAS] = 0;
}

// What forward makes and backward reads, in this order, each over all images.
typedef struct {
  __global float *mean1, *rstd1;  // (images, tokens)
  __global float* qkv;            // (images, tokens, 3 dim)
  __global float* logsumexp;      // (images, heads, queries)
  __global float* attended;       // (images, queries, dim): attention's output
  __global float* residual;       // (images, queries, dim): r
  __global float *mean2, *rstd2;  // (images, queries)
  __global float *gelu, *slope;   // (images, queries, mlp_dim): the GELU and its derivative; slope may be null
} Saved;

// Where the part of `image` lies in a tensor of `size` floats for each of `images`, which starts at *rest; *rest moves
// behind it.
static inline __global float* part_of(__global float** rest, int images, int image, int size) {
  __global float* part = *rest + (size_t)image * size;
  *rest += (size_t)images * size;
  return part;
}

static inline Saved saved_of(const Block* b, __global float* rest, int images, int image) {
  Saved s;
  s.mean1 = part_of(&rest, images, image, b->tokens);
  s.rstd1 = part_of(&rest, images, image, b->tokens);
  s.qkv = part_of(&rest, images, image, b->tokens * 3 * b->dim);
  s.logsumexp = part_of(&rest, images, image, b->heads * b->queries);
  s.attended = part_of(&rest, images, image, b->queries * b->dim);
  s.residual = part_of(&rest, images, image, b->queries * b->dim);
  s.mean2 = part_of(&rest, images, image, b->queries);
  s.rstd2 = part_of(&rest, images, image, b->queries);
  s.gelu = part_of(&rest, images, image, b->queries * b->mlp_dim);
  s.slope = part_of(&rest, images, image, b->queries * b->mlp_dim);
  return s;
}

// A work-item's scratch for the gradients of one group of images.
typedef struct {
  __global float *normal, *dnormal;  // (group, tokens, dim)
  __global float* dresidual;         // (group, queries, dim)
  __global float* wide;              // (group, tokens, max(3 dim, mlp_dim))
} Scratch;

static inline Scratch scratch_of(const Block* b, __global float* workspace, int group) {
  const size_t rows = (size_t)group * b->tokens, narrow = rows * b->dim, wide = rows * max(3 * b->dim, b->mlp_dim);
  workspace += get_global_id(0) * (3 * narrow + wide);
  const Scratch t = {workspace, workspace + narrow, workspace + 2 * narrow, workspace + 3 * narrow};
  return t;
}

#endif
