// Self-attention for any number of tokens on CPU devices: the lanes are LANES queries (forward, dq) or LANES keys
// (dk and dv) of one head, the other side streams past as scalars in blocks of ROW_BLOCK, so that nothing is summed
// across lanes and private memory does not depend on the number of tokens. Softmax runs online (Milakov, Gimelshein
// 2018); the backward passes recompute the probabilities from the log-sum-exp (Dao 2022). There are two ways back, with
// the same bits: a pass over queries and one over keys, or one work-item a head, which computes the scores once.
//
//   LANES     8 or 16
//   HEAD_DIM  D
//   ROW_TILE  rows of the streaming side whose products with the lanes are in registers at once
//   MASKED    1 where `mask` is read, else 0
//   DROPOUT   1 where probabilities are dropped, else 0
#if !defined(LANES) || !defined(HEAD_DIM) || !defined(ROW_TILE) || !defined(MASKED) || !defined(DROPOUT)
#error "attention_lanes.cl: LANES, HEAD_DIM, ROW_TILE, MASKED and DROPOUT must be defined"
#endif
#include "common/dropout_lanes.h"
#include "common/lanes.h"

#define LOG2_E 1.44269504f
#define LN_2 0.693147181f
#define ROW_BLOCK (8 * ROW_TILE)
#define COLUMN_TILE (ROW_TILE & ~3)

// Which head of which image, and which of its tokens, this work-item's lanes are.
typedef struct {
  int image, head, pair;  // pair = image * heads + head
  int first, rows;        // the lanes are tokens first ... first + rows - 1
} Lanes;

inline Lanes lanes_of_item(int tokens, int heads) {
  Lanes lanes;
  const int blocks = (tokens + LANES - 1) / LANES;
  lanes.pair = (int)get_global_id(0) / blocks;
  lanes.image = lanes.pair / heads;
  lanes.head = lanes.pair % heads;
  lanes.first = ((int)get_global_id(0) % blocks) * LANES;
  lanes.rows = min(LANES, tokens - lanes.first);
  return lanes;
}

// Offsets of the lanes' rows, `stride` apart; lanes behind the last token repeat it.
inline void lane_rows(ulong* row, Lanes lanes, int stride) {
  for (int l = 0; l < LANES; ++l) row[l] = (ulong)(lanes.first + min(l, lanes.rows - 1)) * stride;
}

inline bool visible(const __global uchar* mask, int image, int token, int tokens, int leading) {
  return token < leading || mask[(ulong)image * (tokens - leading) + (token - leading)] != 0;
}

// Per lane 0 where its token is visible, -infinity where not.
inline floatL lane_bias(const __global uchar* mask, Lanes lanes, int tokens, int leading) {
  floatL bias = (floatL)(0.0f);
  for (int l = 0; l < lanes.rows; ++l)
    if (!visible(mask, lanes.image, lanes.first + l, tokens, leading)) ((float*)&bias)[l] = -INFINITY;
  return bias;
}

// s[j] = start + sum over d of x[d] * source[j * stride + d] for j < rows. s has room for whole tiles.
inline void dot_rows(floatL* s, const floatL* x, const __global float* source, int stride, int rows) {
  for (int j = 0; j < rows; j += ROW_TILE) {
    floatL sum[ROW_TILE];
    const __global float* row[ROW_TILE];
#pragma unroll
    for (int i = 0; i < ROW_TILE; ++i) {
      sum[i] = (floatL)(0.0f);
      row[i] = source + (ulong)min(j + i, rows - 1) * stride;
    }
    for (int d = 0; d < HEAD_DIM; ++d) {
      const floatL value = x[d];
#pragma unroll
      for (int i = 0; i < ROW_TILE; ++i) sum[i] = vitcl_fma(value, (floatL)(row[i][d]), sum[i]);
    }
#pragma unroll
    for (int i = 0; i < ROW_TILE; ++i) s[j + i] = sum[i];
  }
}

// y[d] += sum over j < rows of s[j] * source[j * stride + d].
inline void add_weighted_rows(floatL* y, const floatL* s, const __global float* source, int stride, int rows) {
  int d = 0;
  for (; d + COLUMN_TILE <= HEAD_DIM; d += COLUMN_TILE) {
    floatL sum[COLUMN_TILE];
#pragma unroll
    for (int i = 0; i < COLUMN_TILE; ++i) sum[i] = y[d + i];
    const __global float* row = source + d;
    for (int j = 0; j < rows; ++j, row += stride) {
      const floatL weight = s[j];
#pragma unroll
      for (int i = 0; i < COLUMN_TILE; ++i) sum[i] = vitcl_fma(weight, (floatL)(row[i]), sum[i]);
    }
#pragma unroll
    for (int i = 0; i < COLUMN_TILE; ++i) y[d + i] = sum[i];
  }
  for (; d < HEAD_DIM; ++d)
    for (int j = 0; j < rows; ++j) y[d] = vitcl_fma(s[j], (floatL)(source[(ulong)j * stride + d]), y[d]);
}

inline void scale_columns(floatL* x, floatL factor) {
  for (int d = 0; d < HEAD_DIM; ++d) x[d] *= factor;
}

inline void clear_columns(floatL* x) {
  for (int d = 0; d < HEAD_DIM; ++d) x[d] = (floatL)(0.0f);
}

// The lanes are queries.
VITCL_LANES_KERNEL void attention_forward(const __global float* qkv, const __global uchar* mask, __global float* out,
                                          __global float* logsumexp, float scale, int tokens, int heads, int leading,
                                          const __global int* draws, uint use, uint threshold, float kept) {
  floatL q[HEAD_DIM], o[HEAD_DIM], s[ROW_BLOCK], factor[ROW_BLOCK];
  ulong row[LANES];
  const Dropout dropout = {draws, use, threshold, kept};
  const Lanes lanes = lanes_of_item(tokens, heads);
  const int dim = heads * HEAD_DIM, stride = 3 * dim;
  const __global float* query = qkv + (ulong)lanes.image * tokens * stride + lanes.head * HEAD_DIM;
  lane_rows(row, lanes, stride);
  gather_rows(q, query, row, HEAD_DIM);
  scale_columns(q, (floatL)(scale * LOG2_E));
  clear_columns(o);
  floatL largest = (floatL)(-FLT_MAX), sum = (floatL)(0.0f);
  for (int begin = 0; begin < tokens; begin += ROW_BLOCK) {
    const int keys = min(ROW_BLOCK, tokens - begin);
    const __global float* key = query + dim + (ulong)begin * stride;
    dot_rows(s, q, key, stride, keys);
    floatL block_largest = largest;
    for (int j = 0; j < keys; ++j) {
      if (MASKED && !visible(mask, lanes.image, begin + j, tokens, leading)) s[j] = (floatL)(-INFINITY);
      block_largest = block_largest > s[j] ? block_largest : s[j];
    }
    const floatL shrink = exp2_lanes(largest - block_largest);
    largest = block_largest;
    sum *= shrink;
    if (DROPOUT) factors_of_keys(factor, dropout, lanes.image, lanes.head * tokens + lanes.first, begin, keys, tokens);
    for (int j = 0; j < keys; ++j) {
      s[j] = exp2_lanes(s[j] - largest);
      sum += s[j];
      if (DROPOUT) s[j] *= factor[j];
    }
    if (begin > 0) scale_columns(o, shrink);
    add_weighted_rows(o, s, key + dim, stride, keys);
  }
  floatL norm = 1.0f / sum, lse = (largest + log2_lanes(sum)) * LN_2;
  if (MASKED) {  // a visible query sees itself, so a sum of 0 belongs to a masked one
    const floatL bias = lane_bias(mask, lanes, tokens, leading);
    norm = bias < 0.0f ? (floatL)(0.0f) : norm;
    lse = bias < 0.0f ? (floatL)(0.0f) : lse;
  }
  scale_columns(o, norm);
  lane_rows(row, lanes, dim);
  scatter_rows(o, out + (ulong)lanes.image * tokens * dim + lanes.head * HEAD_DIM, row, lanes.rows, HEAD_DIM, 0);
  lane_rows(row, lanes, true);
  scatter_rows(&lse, logsumexp + (ulong)lanes.pair * tokens, row, lanes.rows, 1, 0);
}

// Writes delta = rowsum(dout * out) of the lanes, which are queries, and leaves their rows of dout and out in g and o.
inline floatL query_delta(floatL* g, floatL* o, const __global float* dout, const __global float* out,
                          __global float* delta_out, Lanes lanes, int tokens, int dim) {
  ulong row[LANES];
  const ulong start = (ulong)lanes.image * tokens * dim + lanes.head * HEAD_DIM;
  lane_rows(row, lanes, dim);
  gather_rows(g, dout + start, row, HEAD_DIM);
  gather_rows(o, out + start, row, HEAD_DIM);
  floatL delta = (floatL)(0.0f);
  for (int d = 0; d < HEAD_DIM; ++d) delta = vitcl_fma(g[d], o[d], delta);
  lane_rows(row, lanes, true);
  scatter_rows(&delta, delta_out + (ulong)lanes.pair * tokens, row, lanes.rows, 1, 0);
  return delta;
}

// The lanes are queries. Also leaves delta for the pass over keys.
VITCL_LANES_KERNEL void attention_backward_query(const __global float* dout, const __global float* qkv,
                                                 const __global float* out, const __global float* logsumexp,
                                                 const __global uchar* mask, __global float* dqkv,
                                                 __global float* delta_out, float scale, int tokens, int heads,
                                                 int leading, int accumulate, const __global int* draws, uint use,
                                                 uint threshold, float kept) {
  floatL q[HEAD_DIM], g[HEAD_DIM], dq[HEAD_DIM], s[ROW_BLOCK], ds[ROW_BLOCK], factor[ROW_BLOCK];
  ulong row[LANES];
  const Dropout dropout = {draws, use, threshold, kept};
  const Lanes lanes = lanes_of_item(tokens, heads);
  const int dim = heads * HEAD_DIM, stride = 3 * dim;
  const ulong query_start = (ulong)lanes.image * tokens * stride + lanes.head * HEAD_DIM;
  const floatL delta = query_delta(g, q, dout, out, delta_out, lanes, tokens, dim);
  floatL lse;
  lane_rows(row, lanes, true);
  gather_rows(&lse, logsumexp + (ulong)lanes.pair * tokens, row, 1);
  lse *= LOG2_E;
  if (MASKED) lse -= lane_bias(mask, lanes, tokens, leading);
  lane_rows(row, lanes, stride);
  gather_rows(q, qkv + query_start, row, HEAD_DIM);
  clear_columns(dq);
  for (int begin = 0; begin < tokens; begin += ROW_BLOCK) {
    const int keys = min(ROW_BLOCK, tokens - begin);
    const __global float* key = qkv + query_start + dim + (ulong)begin * stride;
    dot_rows(s, q, key, stride, keys);
    dot_rows(ds, g, key + dim, stride, keys);
    if (DROPOUT) factors_of_keys(factor, dropout, lanes.image, lanes.head * tokens + lanes.first, begin, keys, tokens);
    for (int j = 0; j < keys; ++j) {
      const bool hidden = MASKED && !visible(mask, lanes.image, begin + j, tokens, leading);
      const floatL p = exp2_lanes(vitcl_fma(s[j], (floatL)(scale * LOG2_E), -lse));
      if (DROPOUT) ds[j] *= factor[j];
      ds[j] = hidden ? (floatL)(0.0f) : p * (ds[j] - delta);
    }
    add_weighted_rows(dq, ds, key, stride, keys);
  }
  scale_columns(dq, (floatL)(scale));
  scatter_rows(dq, dqkv + query_start, row, lanes.rows, HEAD_DIM, accumulate);
}

// The arguments of the passes over keys.
typedef struct {
  const __global float *dout, *qkv, *logsumexp, *delta;
  const __global uchar* mask;
  __global float* dqkv;
  float scale;
  int tokens, heads, leading, accumulate;
  Dropout dropout;
} Backward;

#if HEAD_DIM % 8 == 0
// A piece of a row of dq: as wide as divides it.
#if HEAD_DIM % 16 == 0
#define PIECE 16
#define PIECE_ROWS ROW_TILE
typedef float16 floatP;
#define VITCL_LOAD_PIECE(p) vload16(0, (p))
#define VITCL_STORE_PIECE(v, p) vstore16((v), 0, (p))
#else
#define PIECE 8
#define PIECE_ROWS (2 * ROW_TILE)
typedef float8 floatP;
#define VITCL_LOAD_PIECE(p) vload8(0, (p))
#define VITCL_STORE_PIECE(v, p) vstore8((v), 0, (p))
#endif

// y[i] = factor * (y[i] + sum over l < count of lane l of w[i] * x[l]) for rows i < rows of D numbers, `stride` apart;
// y's rows count as 0 where `fresh` is set.
inline void add_weighted_lanes(__global float* y, const floatL* w, const __global float* x, int stride, int rows,
                               int count, bool fresh, float factor) {
  const float* weight = (const float*)w;
  for (int d = 0; d < HEAD_DIM; d += PIECE) {
    for (int i = 0; i < rows; i += PIECE_ROWS) {
      floatP sum[PIECE_ROWS];
      const float* weights = weight + i * LANES;
#pragma unroll
      for (int r = 0; r < PIECE_ROWS; ++r) {
        sum[r] = fresh ? (floatP)(0.0f) : VITCL_LOAD_PIECE(y + (ulong)min(i + r, rows - 1) * stride + d);
      }
      for (int l = 0; l < count; ++l) {
        const floatP value = VITCL_LOAD_PIECE(x + (ulong)l * stride + d);
#pragma unroll
        for (int r = 0; r < PIECE_ROWS; ++r) sum[r] = vitcl_fma((floatP)(weights[r * LANES + l]), value, sum[r]);
      }
#pragma unroll
      for (int r = 0; r < PIECE_ROWS; ++r)
        if (i + r < rows) VITCL_STORE_PIECE(sum[r] * factor, y + (ulong)(i + r) * stride + d);
    }
  }
}
#endif

// The lanes are keys: their dk and dv, and where `with_dq` is set what they add to the dq of every query. Between
// blocks of keys the sum lies in dqkv; the last block scales it.
inline void backward_keys(Backward b, Lanes lanes, bool with_dq) {
  floatL k[HEAD_DIM], v[HEAD_DIM], dk[HEAD_DIM], dv[HEAD_DIM], s[ROW_BLOCK], ds[ROW_BLOCK], factor[ROW_BLOCK];
  ulong row[LANES];
  const int dim = b.heads * HEAD_DIM, stride = 3 * dim;
  const ulong query_start = (ulong)lanes.image * b.tokens * stride + lanes.head * HEAD_DIM;
  lane_rows(row, lanes, stride);
  gather_rows(k, b.qkv + query_start + dim, row, HEAD_DIM);
  gather_rows(v, b.qkv + query_start + 2 * dim, row, HEAD_DIM);
  clear_columns(dk);
  clear_columns(dv);
  const floatL bias = MASKED ? lane_bias(b.mask, lanes, b.tokens, b.leading) : (floatL)(0.0f);
  for (int begin = 0; begin < b.tokens; begin += ROW_BLOCK) {
    const int queries = min(ROW_BLOCK, b.tokens - begin);
    const ulong query = query_start + (ulong)begin * stride;
    const __global float* g = b.dout + ((ulong)lanes.image * b.tokens + begin) * dim + lanes.head * HEAD_DIM;
    const ulong statistics = (ulong)lanes.pair * b.tokens + begin;
    dot_rows(s, k, b.qkv + query, stride, queries);
    dot_rows(ds, v, g, dim, queries);
    if (DROPOUT) {
      const int first_row = lanes.head * b.tokens + begin;
      factors_of_queries(factor, b.dropout, lanes.image, first_row, lanes.first, queries, b.tokens);
    }
    for (int i = 0; i < queries; ++i) {
      const bool hidden = MASKED && !visible(b.mask, lanes.image, begin + i, b.tokens, b.leading);
      const floatL shift = bias - (floatL)(b.logsumexp[statistics + i] * LOG2_E);
      s[i] = hidden ? (floatL)(0.0f) : exp2_lanes(vitcl_fma(s[i], (floatL)(b.scale * LOG2_E), shift));
      if (DROPOUT) ds[i] *= factor[i];
      ds[i] = s[i] * (ds[i] - b.delta[statistics + i]);
      if (DROPOUT) s[i] *= factor[i];
    }
    add_weighted_rows(dv, s, g, dim, queries);
    add_weighted_rows(dk, ds, b.qkv + query, stride, queries);
#if HEAD_DIM % 8 == 0
    if (with_dq) {
      const float factor = lanes.first + LANES < b.tokens ? 1.0f : b.scale;
      add_weighted_lanes(b.dqkv + query, ds, b.qkv + query_start + dim + row[0], stride, queries, lanes.rows,
                         lanes.first == 0, factor);
    }
#endif
  }
  scale_columns(dk, (floatL)(b.scale));
  scatter_rows(dk, b.dqkv + query_start + dim, row, lanes.rows, HEAD_DIM, b.accumulate);
  scatter_rows(dv, b.dqkv + query_start + 2 * dim, row, lanes.rows, HEAD_DIM, b.accumulate);
}

// The lanes are keys.
VITCL_LANES_KERNEL void attention_backward_key(const __global float* dout, const __global float* qkv,
                                               const __global float* logsumexp, const __global float* delta,
                                               const __global uchar* mask, __global float* dqkv, float scale,
                                               int tokens, int heads, int leading, int accumulate,
                                               const __global int* draws, uint use, uint threshold, float kept) {
  const Backward b = {dout,  qkv,    logsumexp, delta,   mask,       dqkv,
                      scale, tokens, heads,     leading, accumulate, {draws, use, threshold, kept}};
  backward_keys(b, lanes_of_item(tokens, heads), false);
}

#if HEAD_DIM % 8 == 0
// A work-item is a head of an image: block after block of keys. Gives the bits of the two kernels above; overwrites.
VITCL_LANES_KERNEL void attention_backward_head(const __global float* dout, const __global float* qkv,
                                                const __global float* out, const __global float* logsumexp,
                                                const __global uchar* mask, __global float* dqkv, __global float* delta,
                                                float scale, int tokens, int heads, int leading,
                                                const __global int* draws, uint use, uint threshold, float kept) {
  const Backward b = {dout,  qkv,    logsumexp, delta,   mask, dqkv,
                      scale, tokens, heads,     leading, 0,    {draws, use, threshold, kept}};
  const int pair = (int)get_global_id(0);
  Lanes lanes = {pair / heads, pair % heads, pair, 0, 0};
  floatL g[HEAD_DIM], o[HEAD_DIM];
  for (lanes.first = 0; lanes.first < tokens; lanes.first += LANES) {
    lanes.rows = min(LANES, tokens - lanes.first);
    query_delta(g, o, dout, out, delta, lanes, tokens, heads * HEAD_DIM);
  }
  for (lanes.first = 0; lanes.first < tokens; lanes.first += LANES) {
    lanes.rows = min(LANES, tokens - lanes.first);
    backward_keys(b, lanes, true);
  }
}
#endif
