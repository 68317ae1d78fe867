// A whole pre-norm Transformer encoder block for CPU devices, one launch each way:
//
//   r = x + a projection(attention(qkv(norm1(x))))
//   y = r + m down(gelu(up(norm2(r))))
//
// a and m are 1, or each image's factors of stochastic depth (common/dropout.h) where draws are given.
//
// A work-item takes whole images, `group` at a time, so that what passes between the steps stays in its caches. x is
// (images, tokens, dim). Where nobody reads but the first row of each image (`queries` is 1, else it is `tokens`),
// everything behind the keys and values is computed for these rows alone, and y is (images, queries, dim).
//
// Backward, a work-item also sums the gradients of all parameters over its images: its slice of the batch.
//
// Macros, see common/register_tile.h and common/head_lanes.h:
//   ROWS, VECTORS  the register tile
//   LANES          8 or 16
//   HEAD_DIM       D
//   MAX_TOKENS     room for tokens in private memory
//   OMITS          what attention leaves out: 1 what `mask` hides, 2 dropped probabilities, 3 both, 0 nothing
#if !defined(ROWS) || !defined(VECTORS) || !defined(LANES) || !defined(HEAD_DIM) || !defined(MAX_TOKENS) || \
    !defined(OMITS)
#error "encoder_block.cl: ROWS, VECTORS, LANES, HEAD_DIM, MAX_TOKENS and OMITS must be defined"
#endif
#define MASKED (OMITS & 1)
#define DROPOUT (OMITS >> 1)
#include "common/activation.h"
#include "common/dropout.h"
#include "common/encoder_block.h"
#include "common/head_lanes.h"
#include "common/layer_norm_rows.h"
#include "common/register_tile.h"

typedef float16 floatW;
#include "common/parts.h"

// y = x wᵀ + bias + added for rows that lie `*_row` elements apart; bias and added may be null.
static inline void linear(const __global float* x, int x_row, const __global float* w, const __global float* bias,
                          const __global float* added, int added_row, __global float* y, int y_row, int rows, int in,
                          int out) {
  const Product p = {x, x_row, 1, w, in, 1, y, y_row, bias, added, added_row, rows, out, in};
  multiply(&p);
}

// dx = dy w, on top of what dx holds where `accumulate` is set.
static inline void linear_backward(const __global float* dy, int dy_row, const __global float* w, __global float* dx,
                                   int dx_row, int accumulate, int rows, int in, int out) {
  const Product p = {dy, dy_row, 1, w, in, 0, dx, dx_row, 0, accumulate ? dx : 0, dx_row, rows, in, out};
  multiply(&p);
}

// dw = dyᵀ x and db = the sums of dy's rows, on top of what they hold where `accumulate` is set; db may be null.
static inline void linear_backward_weights(const __global float* dy, int dy_row, const __global float* x, int x_row,
                                           __global float* dw, __global float* db, int accumulate, int rows, int in,
                                           int out) {
  const Product p = {dy, 1, dy_row, x, x_row, 0, dw, in, 0, accumulate ? dw : 0, in, out, in, rows};
  multiply(&p);
  if (!db) return;
  for (int c = 0; c < out; c += 16) {
    float16 sum = accumulate ? load_features(db, c, out) : (float16)(0.0f);
    for (int r = 0; r < rows; ++r) sum += load_features(dy + (size_t)r * dy_row, c, out);
    store_features(sum, db, c, out);
  }
}

// gelu = gelu(x) and, where it is not null, slope = its derivative there, elementwise; either may be x.
static inline void gelu_elements(const __global float* x, __global float* gelu, __global float* slope, int count) {
  for (int i = 0; i < count; i += 16) {
    const float16 value = load_features(x, i, count);
    if (slope) {
      float16 derivative;
      store_features(vitcl_gelu16_with_derivative(value, &derivative), gelu, i, count);
      store_features(derivative, slope, i, count);
    } else {
      store_features(vitcl_gelu16(value), gelu, i, count);
    }
  }
}

static inline void multiply_in_place(__global float* target, const __global float* factor, int count) {
  for (int i = 0; i < count; i += 16) {
    store_features(load_features(target, i, count) * load_features(factor, i, count), target, i, count);
  }
}

// target += source for rows of dim, target's `stride` rows apart.
static inline void add_rows(__global float* target, int stride, const __global float* source, int rows, int dim) {
  for (int r = 0; r < rows; ++r, target += stride * dim, source += dim) {
    for (int c = 0; c < dim; c += 16) {
      store_features(load_features(target, c, dim) + load_features(source, c, dim), target, c, dim);
    }
  }
}

// y = factor x + added: what stochastic depth leaves of a residual branch, for the live rows of some images. added,
// whose rows lie `added_row` elements apart, may be null.
static inline void drop_branch(const Block* b, const __global int* draws, uint use, const __global float* x,
                               const __global float* added, int added_row, __global float* y, int images) {
  const int dim = b->dim;
  for (int r = 0; r < images * b->queries; ++r, x += dim, y += dim, added += added ? added_row : 0) {
    const float factor = VITCL_DROPOUT(vitcl_draw(draws + 4 * (r / b->queries), 0, use).x, b->threshold, b->kept);
    for (int c = 0; c < dim; c += 16) {
      const float16 rest = added ? load_features(added, c, dim) : (float16)(0.0f);
      store_features(vitcl_fma((float16)(factor), load_features(x, c, dim), rest), y, c, dim);
    }
  }
}

static inline Heads heads_of(const Block* b, const __global int* draws, int images) {
  const Dropout dropout = {draws, b->dropout.use, b->dropout.threshold, b->dropout.kept};
  const Heads h = {0, images * b->heads, b->heads, b->tokens, b->queries, b->leading, b->scale, dropout};
  return h;
}

static inline const __global uchar* mask_of(const Block* b, const __global uchar* mask, int image) {
  return mask + (size_t)image * (b->tokens - b->leading);
}

// The block for some images. normal: (images, tokens, dim) of scratch.
static inline void forward_group(const Block* b, const __global float** w, const __global float* x,
                                 const __global uchar* mask, const __global int* draws, const Saved* s,
                                 __global float* normal, __global float* y, int images) {
  const int dim = b->dim, mlp_dim = b->mlp_dim, stride = b->tokens / b->queries;
  const int rows = images * b->tokens, live = images * b->queries;
  const bool drops = b->threshold != 0;
  layer_norm_rows(x, w[NORM1_WEIGHT], w[NORM1_BIAS], b->epsilon, normal, s->mean1, s->rstd1, rows, dim);
  linear(normal, stride * dim, w[QKV_WEIGHT], w[QKV_BIAS], 0, 0, s->qkv, stride * 3 * dim, live, dim, dim);
  linear(normal, dim, w[QKV_WEIGHT] + dim * dim, w[QKV_BIAS] ? w[QKV_BIAS] + dim : 0, 0, 0, s->qkv + dim, 3 * dim, rows,
         dim, 2 * dim);
  Heads h = heads_of(b, draws, images);
  for (; h.first < h.last; h.first += LANES) attend(&h, s->qkv, mask, s->attended, s->logsumexp);
  linear(s->attended, dim, w[PROJECTION_WEIGHT], w[PROJECTION_BIAS], drops ? 0 : x, stride * dim, s->residual, dim,
         live, dim, dim);
  if (drops) drop_branch(b, draws, b->attention_use, s->residual, x, stride * dim, s->residual, images);
  layer_norm_rows(s->residual, w[NORM2_WEIGHT], w[NORM2_BIAS], b->epsilon, normal, s->mean2, s->rstd2, live, dim);
  __global float* inside = s->slope ? s->slope : s->gelu;
  linear(normal, dim, w[UP_WEIGHT], w[UP_BIAS], 0, 0, inside, mlp_dim, live, dim, mlp_dim);
  gelu_elements(inside, s->gelu, s->slope, live * mlp_dim);
  linear(s->gelu, mlp_dim, w[DOWN_WEIGHT], w[DOWN_BIAS], drops ? 0 : s->residual, dim, y, dim, live, mlp_dim, dim);
  if (drops) drop_branch(b, draws, b->mlp_use, y, s->residual, dim, y, images);
}

// Global size: work-items, each with its share of the images and `scratch` floats of the workspace, in which it keeps
// what backward would read where `saves` is not set.
VITCL_LANES_KERNEL void encoder_block_forward(
    const __global float* x, const __global float* norm1_weight, const __global float* norm1_bias,
    const __global float* qkv_weight, const __global float* qkv_bias, const __global float* projection_weight,
    const __global float* projection_bias, const __global float* norm2_weight, const __global float* norm2_bias,
    const __global float* up_weight, const __global float* up_bias, const __global float* down_weight,
    const __global float* down_bias, const __global uchar* mask, __global float* y, __global float* saved,
    __global float* workspace, int batch, int tokens, int queries, int heads, int mlp_dim, int leading, float scale,
    float epsilon, int has_qkv_bias, int group, const __global int* draws, uint attention_use, uint mlp_use,
    uint threshold, float kept, uint probabilities_use, uint probabilities_threshold, float probabilities_kept,
    int scratch, int saves) {
  const int dim = heads * HEAD_DIM;
  const Dropout dropout = {draws, probabilities_use, probabilities_threshold, probabilities_kept};
  const Block b = {tokens,  queries,      dim,           heads,   mlp_dim,   leading, scale,
                   epsilon, has_qkv_bias, attention_use, mlp_use, threshold, kept,    dropout};
  const __global float* w[PARAMETERS] = {norm1_weight,      norm1_bias,      qkv_weight,   has_qkv_bias ? qkv_bias : 0,
                                         projection_weight, projection_bias, norm2_weight, norm2_bias,
                                         up_weight,         up_bias,         down_weight,  down_bias};
  const ulong item = get_global_id(0), items = get_global_size(0);
  const Share share = {(int)(item * batch / items), (int)((item + 1) * batch / items)};
  __global float* normal = workspace + get_global_id(0) * scratch;
  for (int image = share.first; image < share.last; image += group) {
    Saved s = saves ? saved_of(&b, saved, batch, image) : saved_of(&b, normal + group * tokens * dim, group, 0);
    if (!saves) s.slope = 0;
    forward_group(&b, w, x + (size_t)image * tokens * dim, mask_of(&b, mask, image), draws + 4 * image, &s, normal,
                  y + (size_t)image * queries * dim, min(group, share.last - image));
  }
}

// The gradients for some images: dx, and the parameters' added to g where `accumulate` is set.
static inline void backward_group(const Block* b, const __global float** w, const __global float* dy,
                                  const __global float* x, const __global uchar* mask, const __global int* draws,
                                  const Saved* s, const Scratch* t, __global float** g, int accumulate,
                                  __global float* dx, int accumulate_dx, int images) {
  const int dim = b->dim, mlp_dim = b->mlp_dim, stride = b->tokens / b->queries;
  const int rows = images * b->tokens, live = images * b->queries;
  const bool drops = b->threshold != 0;

  // The MLP: t->wide is the gradient of its inside, t->dnormal of its normalised input, t->dresidual of r; `branch`
  // that of what is added to the residual stream.
  const __global float* branch = drops ? t->dnormal : dy;
  if (drops) drop_branch(b, draws, b->mlp_use, dy, 0, 0, t->dnormal, images);
  linear_backward_weights(branch, dim, s->gelu, mlp_dim, g[DOWN_WEIGHT], g[DOWN_BIAS], accumulate, live, mlp_dim, dim);
  linear_backward(branch, dim, w[DOWN_WEIGHT], t->wide, mlp_dim, 0, live, mlp_dim, dim);
  multiply_in_place(t->wide, s->slope, live * mlp_dim);
  normalise_rows(s->residual, s->mean2, s->rstd2, w[NORM2_WEIGHT], w[NORM2_BIAS], t->normal, live, dim);
  linear_backward_weights(t->wide, mlp_dim, t->normal, dim, g[UP_WEIGHT], g[UP_BIAS], accumulate, live, dim, mlp_dim);
  linear_backward(t->wide, mlp_dim, w[UP_WEIGHT], t->dnormal, dim, 0, live, dim, mlp_dim);
  layer_norm_backward_rows(t->dnormal, s->residual, w[NORM2_WEIGHT], s->mean2, s->rstd2, t->dresidual, 0, live, dim);
  layer_norm_backward_weights(t->dnormal, s->residual, s->mean2, s->rstd2, g[NORM2_WEIGHT], g[NORM2_BIAS], accumulate,
                              live, dim);
  add_rows(t->dresidual, 1, dy, live, dim);

  // Attention: t->dnormal is the gradient of its output, t->wide of queries, keys and values.
  branch = drops ? t->normal : t->dresidual;
  if (drops) drop_branch(b, draws, b->attention_use, t->dresidual, 0, 0, t->normal, images);
  linear_backward_weights(branch, dim, s->attended, dim, g[PROJECTION_WEIGHT], g[PROJECTION_BIAS], accumulate, live,
                          dim, dim);
  linear_backward(branch, dim, w[PROJECTION_WEIGHT], t->dnormal, dim, 0, live, dim, dim);
  Heads h = heads_of(b, draws, images);
  for (; h.first < h.last; h.first += LANES) {
    attend_backward(&h, t->dnormal, s->qkv, s->attended, s->logsumexp, mask, t->wide, 0);
  }
  normalise_rows(x, s->mean1, s->rstd1, w[NORM1_WEIGHT], w[NORM1_BIAS], t->normal, rows, dim);
  linear_backward_weights(t->wide, stride * 3 * dim, t->normal, stride * dim, g[QKV_WEIGHT], g[QKV_BIAS], accumulate,
                          live, dim, dim);
  linear_backward_weights(t->wide + dim, 3 * dim, t->normal, dim, g[QKV_WEIGHT] + dim * dim,
                          g[QKV_BIAS] ? g[QKV_BIAS] + dim : 0, accumulate, rows, dim, 2 * dim);
  linear_backward(t->wide + dim, 3 * dim, w[QKV_WEIGHT] + dim * dim, t->dnormal, dim, 0, rows, dim, 2 * dim);
  linear_backward(t->wide, stride * 3 * dim, w[QKV_WEIGHT], t->dnormal, stride * dim, 1, live, dim, dim);
  layer_norm_backward_weights(t->dnormal, x, s->mean1, s->rstd1, g[NORM1_WEIGHT], g[NORM1_BIAS], accumulate, rows, dim);
  if (!dx) return;
  layer_norm_backward_rows(t->dnormal, x, w[NORM1_WEIGHT], s->mean1, s->rstd1, dx, accumulate_dx, rows, dim);
  add_rows(dx, stride, t->dresidual, live, dim);
}

// Global size: slices, a power of two. A work-item sums the parameters' gradients over its part of the images: the
// first one into the gradients themselves (+ what they hold), the others each into one of `slices`.
VITCL_LANES_KERNEL void encoder_block_backward(
    const __global float* dy, const __global float* x, const __global float* norm1_weight,
    const __global float* norm1_bias, const __global float* qkv_weight, const __global float* qkv_bias,
    const __global float* projection_weight, const __global float* projection_bias, const __global float* norm2_weight,
    const __global float* norm2_bias, const __global float* up_weight, const __global float* up_bias,
    const __global float* down_weight, const __global float* down_bias, const __global uchar* mask,
    __global float* saved, __global float* dx, __global float* dnorm1_weight, __global float* dnorm1_bias,
    __global float* dqkv_weight, __global float* dqkv_bias, __global float* dprojection_weight,
    __global float* dprojection_bias, __global float* dnorm2_weight, __global float* dnorm2_bias,
    __global float* dup_weight, __global float* dup_bias, __global float* ddown_weight, __global float* ddown_bias,
    __global float* slices, __global float* workspace, int batch, int tokens, int queries, int heads, int mlp_dim,
    int leading, float scale, float epsilon, int has_qkv_bias, int group, const __global int* draws, uint attention_use,
    uint mlp_use, uint threshold, float kept, uint probabilities_use, uint probabilities_threshold,
    float probabilities_kept, int has_dx, int accumulate, int accumulate_parameters) {
  const int dim = heads * HEAD_DIM;
  const Dropout dropout = {draws, probabilities_use, probabilities_threshold, probabilities_kept};
  const Block b = {tokens,  queries,      dim,           heads,   mlp_dim,   leading, scale,
                   epsilon, has_qkv_bias, attention_use, mlp_use, threshold, kept,    dropout};
  const __global float* w[PARAMETERS] = {norm1_weight,      norm1_bias,      qkv_weight,   has_qkv_bias ? qkv_bias : 0,
                                         projection_weight, projection_bias, norm2_weight, norm2_bias,
                                         up_weight,         up_bias,         down_weight,  down_bias};
  const Share share = share_of_part(batch, (uint)get_global_id(0), (uint)get_global_size(0));
  __global float* g[PARAMETERS] = {dnorm1_weight,      dnorm1_bias,      dqkv_weight,   has_qkv_bias ? dqkv_bias : 0,
                                   dprojection_weight, dprojection_bias, dnorm2_weight, dnorm2_bias,
                                   dup_weight,         dup_bias,         ddown_weight,  ddown_bias};
  const bool first_slice = get_global_id(0) == 0;
  if (!first_slice) gradients_of(&b, slices, get_global_id(0) - 1, g);
  const Scratch t = scratch_of(&b, workspace, group);
  for (int image = share.first; image < share.last; image += group) {
    const Saved s = saved_of(&b, saved, batch, image);
    backward_group(&b, w, dy + (size_t)image * queries * dim, x + (size_t)image * tokens * dim,
                   mask_of(&b, mask, image), draws + 4 * image, &s, &t, g,
                   image > share.first || (first_slice && accumulate_parameters),
                   has_dx ? dx + (size_t)image * tokens * dim : 0, accumulate, min(group, share.last - image));
  }
}

// The gradients' sums over all slices, in a binary tree; the first slice lies in the gradients themselves. Global size:
// (chunks, parameters); a work-item sums `chunk` elements of one parameter.
VITCL_LANES_KERNEL void encoder_block_sum_gradients(__global float* slices, __global float* dnorm1_weight,
                                                    __global float* dnorm1_bias, __global float* dqkv_weight,
                                                    __global float* dqkv_bias, __global float* dprojection_weight,
                                                    __global float* dprojection_bias, __global float* dnorm2_weight,
                                                    __global float* dnorm2_bias, __global float* dup_weight,
                                                    __global float* dup_bias, __global float* ddown_weight,
                                                    __global float* ddown_bias, int slice_count, int heads, int mlp_dim,
                                                    int has_qkv_bias, int chunk) {
  __global float* targets[PARAMETERS] = {dnorm1_weight,      dnorm1_bias,      dqkv_weight,   dqkv_bias,
                                         dprojection_weight, dprojection_bias, dnorm2_weight, dnorm2_bias,
                                         dup_weight,         dup_bias,         ddown_weight,  ddown_bias};
  const Block b = {0, 0, heads * HEAD_DIM, heads, mlp_dim, 0, 0.0f, 0.0f, has_qkv_bias, 0, 0, 0, 0.0f, {0, 0, 0, 0.0f}};
  const int parameter = (int)get_global_id(1), size = parameter_size(&b, parameter);
  __global float *first[PARAMETERS], *second[PARAMETERS];
  gradients_of(&b, slices, 0, first);
  gradients_of(&b, slices, 1, second);
  const size_t stride = second[0] - first[0];
  const int begin = (int)get_global_id(0) * chunk, end = min(begin + chunk, size);
  for (int i = begin; i < end; i += 16) {
    TreeSum sum;
    sum.count = 0;
    add_part(&sum, load_features(targets[parameter], i, end), 0);
    for (int s = 1; s < slice_count; ++s) {
      add_part(&sum, load_features(first[parameter] + (s - 1) * stride, i, end), s);
    }
    store_features(sum.branch[0], targets[parameter], i, end);
  }
}
