// Self-attention in work-groups, for GPUs and everything else: a group takes GROUP queries (forward, dq) or GROUP keys
// (dk and dv) of one head, one a work-item, and the other side passes through local memory in tiles of TILE rows.
// Softmax runs online (Milakov, Gimelshein 2018); the backward passes recompute the probabilities from the log-sum-exp
// (Dao 2022), so that each gradient has one writer and no (tokens, tokens) matrix is stored.
//
//   GROUP     work-items in a group
//   TILE      rows in local memory
//   HEAD_DIM  D
//   MASKED    1 where `mask` is read, else 0
//   DROPOUT   1 where probabilities are dropped, else 0
//   STORAGE_BITS  see common/storage.h
#if !defined(GROUP) || !defined(TILE) || !defined(HEAD_DIM) || !defined(MASKED) || !defined(DROPOUT)
#error "attention.cl: GROUP, TILE, HEAD_DIM, MASKED and DROPOUT must be defined"
#endif
#include "common/activation.h"
#include "common/dropout.h"
#include "common/storage.h"
#include "common/types.h"

// Which head of which image, and which of its tokens, this work-item has.
typedef struct {
  int image, head, pair;  // pair = image * heads + head
  int token;              // items behind the last token repeat it and write nothing
  bool writes;
} Item;

inline Item this_item(int tokens, int heads) {
  Item item;
  const int blocks = (tokens + GROUP - 1) / GROUP;
  item.pair = (int)get_group_id(0) / blocks;
  item.image = item.pair / heads;
  item.head = item.pair % heads;
  const int token = ((int)get_group_id(0) % blocks) * GROUP + (int)get_local_id(0);
  item.writes = token < tokens;
  item.token = min(token, tokens - 1);
  return item;
}

inline bool visible(const __global uchar* mask, int image, int token, int tokens, int leading) {
  return !MASKED || token < leading || mask[(ulong)image * (tokens - leading) + (token - leading)] != 0;
}

// tile[r] = row r of `source`, HEAD_DIM long, for r < rows. The group shares the work; the caller puts the barriers.
inline void load_tile(__local float* tile, const __global stored* source, int stride, int rows) {
  for (int i = (int)get_local_id(0); i < rows * HEAD_DIM; i += GROUP)
    tile[i] = vitcl_load(source, (ulong)(i / HEAD_DIM) * stride + i % HEAD_DIM);
}

inline void load_row(float* row, const __global stored* source, float factor) {
  for (int d = 0; d < HEAD_DIM; ++d) row[d] = vitcl_load(source, d) * factor;
}

inline void store_row(const float* row, __global stored* target, float factor, int accumulate) {
  for (int d = 0; d < HEAD_DIM; ++d)
    vitcl_store(accumulate ? vitcl_load(target, d) + row[d] * factor : row[d] * factor, target, d);
}

inline void clear_row(float* row) {
  for (int d = 0; d < HEAD_DIM; ++d) row[d] = 0.0f;
}

inline float dot_row(const float* a, const __local float* b) {
  float sum = 0.0f;
  for (int d = 0; d < HEAD_DIM; ++d) sum = vitcl_fma(a[d], b[d], sum);
  return sum;
}

inline void add_weighted_row(float* y, float weight, const __local float* row) {
  for (int d = 0; d < HEAD_DIM; ++d) y[d] = vitcl_fma(weight, row[d], y[d]);
}

// What the probability with which a query looks at a key is multiplied by; row = head * tokens + query. Of a query's
// keys four share a random block.
inline float factor(Dropout d, int image, int row, int key, int tokens) {
#if DROPOUT
  const uint blocks = (uint)(tokens + 3) / 4u, quarter = (uint)key % 4u;
  const uint4 block = vitcl_draw(d.draws + 4 * image, (uint)row * blocks + (uint)key / 4u, d.use);
  const uint word = quarter == 0 ? block.x : quarter == 1 ? block.y : quarter == 2 ? block.z : block.w;
  return VITCL_DROPOUT(word, d.threshold, d.kept);
#else
  return 1.0f;
#endif
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_forward(
    const __global stored* qkv, const __global uchar* mask, __global stored* out, __global float* logsumexp,
    float scale, int tokens, int heads, int leading, const __global int* draws, uint use, uint threshold, float kept) {
  __local float key[TILE * HEAD_DIM], value[TILE * HEAD_DIM];
  float q[HEAD_DIM], o[HEAD_DIM], p[TILE];
  const Dropout dropout = {draws, use, threshold, kept};
  const Item item = this_item(tokens, heads);
  const int dim = heads * HEAD_DIM, stride = 3 * dim;
  const __global stored* query = qkv + (ulong)item.image * tokens * stride + item.head * HEAD_DIM;
  load_row(q, query + (ulong)item.token * stride, scale);
  clear_row(o);
  float largest = -FLT_MAX, sum = 0.0f;
  for (int begin = 0; begin < tokens; begin += TILE) {
    const int keys = min(TILE, tokens - begin);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_tile(key, query + dim + (ulong)begin * stride, stride, keys);
    load_tile(value, query + 2 * dim + (ulong)begin * stride, stride, keys);
    barrier(CLK_LOCAL_MEM_FENCE);
    float tile_largest = largest;
    for (int j = 0; j < keys; ++j) {
      p[j] = visible(mask, item.image, begin + j, tokens, leading) ? dot_row(q, key + j * HEAD_DIM) : -INFINITY;
      tile_largest = fmax(tile_largest, p[j]);
    }
    const float shrink = vitcl_exp(largest - tile_largest);
    largest = tile_largest;
    sum *= shrink;
    for (int d = 0; d < HEAD_DIM; ++d) o[d] *= shrink;
    for (int j = 0; j < keys; ++j) {
      const float weight = vitcl_exp(p[j] - largest);
      sum += weight;
      add_weighted_row(o, weight * factor(dropout, item.image, item.head * tokens + item.token, begin + j, tokens),
                       value + j * HEAD_DIM);
    }
  }
  if (item.writes) {
    const bool seen = visible(mask, item.image, item.token, tokens, leading);  // then it sees itself and sum > 0
    __global stored* target = out + ((ulong)item.image * tokens + item.token) * dim + item.head * HEAD_DIM;
    for (int d = 0; d < HEAD_DIM; ++d) vitcl_store(seen ? o[d] / sum : 0.0f, target, d);
    logsumexp[(ulong)item.pair * tokens + item.token] = seen ? largest + vitcl_log(sum) : 0.0f;
  }
}

// Also leaves delta = rowsum(dout * out) for the pass over keys.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_backward_query(
    const __global stored* dout, const __global stored* qkv, const __global stored* out,
    const __global float* logsumexp, const __global uchar* mask, __global stored* dqkv, __global float* delta_out,
    float scale, int tokens, int heads, int leading, int accumulate, const __global int* draws, uint use,
    uint threshold, float kept) {
  __local float key[TILE * HEAD_DIM], value[TILE * HEAD_DIM];
  float q[HEAD_DIM], g[HEAD_DIM], dq[HEAD_DIM];
  const Dropout dropout = {draws, use, threshold, kept};
  const Item item = this_item(tokens, heads);
  const int dim = heads * HEAD_DIM, stride = 3 * dim;
  const ulong out_start = ((ulong)item.image * tokens + item.token) * dim + item.head * HEAD_DIM;
  const ulong head_start = (ulong)item.image * tokens * stride + item.head * HEAD_DIM;
  const ulong statistic = (ulong)item.pair * tokens + item.token;
  load_row(q, qkv + head_start + (ulong)item.token * stride, scale);
  load_row(g, dout + out_start, 1.0f);
  clear_row(dq);
  float delta = 0.0f;
  for (int d = 0; d < HEAD_DIM; ++d) delta = vitcl_fma(g[d], vitcl_load(out, out_start + d), delta);
  if (item.writes) delta_out[statistic] = delta;
  // A masked query's probabilities are all 0.
  const float lse = visible(mask, item.image, item.token, tokens, leading) ? logsumexp[statistic] : INFINITY;
  for (int begin = 0; begin < tokens; begin += TILE) {
    const int keys = min(TILE, tokens - begin);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_tile(key, qkv + head_start + dim + (ulong)begin * stride, stride, keys);
    load_tile(value, qkv + head_start + 2 * dim + (ulong)begin * stride, stride, keys);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int j = 0; j < keys; ++j) {
      if (!visible(mask, item.image, begin + j, tokens, leading)) continue;
      const float p = vitcl_exp(dot_row(q, key + j * HEAD_DIM) - lse);
      // A statement of its own: fused, Intel's CPU runtime 2026.2 subtracts another work-item's delta.
      const float dp = dot_row(g, value + j * HEAD_DIM) *
                       factor(dropout, item.image, item.head * tokens + item.token, begin + j, tokens);
      add_weighted_row(dq, p * (dp - delta), key + j * HEAD_DIM);
    }
  }
  if (item.writes) store_row(dq, dqkv + head_start + (ulong)item.token * stride, scale, accumulate);
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_backward_key(
    const __global stored* dout, const __global stored* qkv, const __global float* logsumexp,
    const __global float* delta, const __global uchar* mask, __global stored* dqkv, float scale, int tokens, int heads,
    int leading, int accumulate, const __global int* draws, uint use, uint threshold, float kept) {
  __local float query[TILE * HEAD_DIM], g[TILE * HEAD_DIM];
  float k[HEAD_DIM], v[HEAD_DIM], dk[HEAD_DIM], dv[HEAD_DIM];
  const Dropout dropout = {draws, use, threshold, kept};
  const Item item = this_item(tokens, heads);
  const int dim = heads * HEAD_DIM, stride = 3 * dim;
  const ulong head_start = (ulong)item.image * tokens * stride + item.head * HEAD_DIM;
  const ulong key_start = head_start + (ulong)item.token * stride + dim;
  load_row(k, qkv + key_start, scale);
  load_row(v, qkv + key_start + dim, 1.0f);
  clear_row(dk);
  clear_row(dv);
  const bool seen = visible(mask, item.image, item.token, tokens, leading);
  for (int begin = 0; begin < tokens; begin += TILE) {
    const int queries = min(TILE, tokens - begin);
    barrier(CLK_LOCAL_MEM_FENCE);
    load_tile(query, qkv + head_start + (ulong)begin * stride, stride, queries);
    load_tile(g, dout + ((ulong)item.image * tokens + begin) * dim + item.head * HEAD_DIM, dim, queries);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < queries; ++i) {
      if (!seen || !visible(mask, item.image, begin + i, tokens, leading)) continue;
      const ulong statistic = (ulong)item.pair * tokens + begin + i;
      const float p = vitcl_exp(dot_row(k, query + i * HEAD_DIM) - logsumexp[statistic]);
      const float m = factor(dropout, item.image, item.head * tokens + begin + i, item.token, tokens);
      add_weighted_row(dv, p * m, g + i * HEAD_DIM);
      add_weighted_row(dk, p * (m * dot_row(v, g + i * HEAD_DIM) - delta[statistic]), query + i * HEAD_DIM);
    }
  }
  if (item.writes) {
    store_row(dk, dqkv + key_start, scale, accumulate);
    store_row(dv, dqkv + key_start + dim, 1.0f, accumulate);
  }
}
