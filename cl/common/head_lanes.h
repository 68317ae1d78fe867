// Self-attention of LANES heads for one work-item of a CPU device: a lane is one head of one image, so nothing crosses
// lanes, no lane idles whatever the number of tokens, and one backward pass yields dq, dk and dv together. Keys, values
// and their gradients lie in private memory. No kernels here.
//
//   LANES       8 or 16
//   HEAD_DIM    D
//   MAX_TOKENS  room for tokens in private memory
//   MASKED      1 where `mask` is read, else 0
//   DROPOUT     1 where probabilities are dropped, else 0
#ifndef VITCL_COMMON_HEAD_LANES_H
#define VITCL_COMMON_HEAD_LANES_H

#include "common/dropout_lanes.h"
#include "common/lanes.h"

#define LOG2_E 1.44269504f
#define LN_2 0.693147181f

// The heads of all images are counted through: image * heads + head. A vector takes LANES of them from `first` on, as
// far as they lie before `last`; the lanes beyond repeat the last one and store nothing.
typedef struct {
  int first, last;
  int heads, tokens;
  int queries;  // the first so many tokens have queries: outputs and log-sum-exps exist for these alone
  int leading;  // tokens that no mask hides
  float scale;
  Dropout dropout;
} Heads;

// Where the lanes' heads start: in a tensor whose images are `image_stride` apart.
inline void head_rows(ulong* row, const Heads* h, ulong image_stride, ulong head_stride) {
  for (int l = 0; l < LANES; ++l) {
    const int head = min(h->first + l, h->last - 1);
    row[l] = (head / h->heads) * image_stride + (head % h->heads) * head_stride;
  }
}

// 0 where a token is visible, -infinity where not.
inline void load_bias(floatL* bias, const __global uchar* mask, const Heads* h) {
  float* to = (float*)bias;
  for (int t = 0; t < h->tokens; ++t) {
    for (int l = 0; l < LANES; ++l) {
      const int image = min(h->first + l, h->last - 1) / h->heads;
      const bool visible = t < h->leading || mask[(ulong)image * (h->tokens - h->leading) + (t - h->leading)] != 0;
      to[t * LANES + l] = visible ? 0.0f : -INFINITY;
    }
  }
}

inline LaneDraws draws_of_heads(const Heads* h) {
  LaneDraws lanes;
  for (int l = 0; l < LANES; ++l) {
    const int head = min(h->first + l, h->last - 1);
    set_lane(&lanes, l, h->dropout.draws + 4 * (head / h->heads),
             (uint)(head % h->heads * h->tokens) * blocks_of_row(h->tokens));
  }
  return lanes;
}

// factor[j] is for key j and the lanes' query i.
inline void factors_of_query(floatL* factor, const Heads* h, const LaneDraws* lanes, int i) {
  const uint blocks = blocks_of_row(h->tokens);
  for (uint b = 0; b < blocks; ++b) draw_factors(factor + 4 * b, lanes, (uint)i * blocks + b, h->dropout);
}

inline void load_keys_and_values(floatL* k, floatL* v, const Heads* h, const __global float* qkv, const ulong* row) {
  const int dim = h->heads * HEAD_DIM;
  for (int t = 0; t < h->tokens; ++t) {
    gather_rows(k + t * HEAD_DIM, qkv + (ulong)(3 * t + 1) * dim, row, HEAD_DIM);
    gather_rows(v + t * HEAD_DIM, qkv + (ulong)(3 * t + 2) * dim, row, HEAD_DIM);
  }
}

inline floatL dot_lanes(const floatL* a, const floatL* b) {
  floatL sum = a[0] * b[0];
#pragma unroll
  for (int d = 1; d < HEAD_DIM; ++d) sum = vitcl_fma(a[d], b[d], sum);
  return sum;
}

// out (image, queries, dim) and logsumexp (image, head, queries) from qkv (image, tokens, 3 dim).
inline void attend(const Heads* h, const __global float* qkv, const __global uchar* mask, __global float* out,
                   __global float* logsumexp) {
  floatL k[MAX_TOKENS * HEAD_DIM], v[MAX_TOKENS * HEAD_DIM], p[MAX_TOKENS], bias[MAX_TOKENS], lse[MAX_TOKENS];
  floatL q[HEAD_DIM], o[HEAD_DIM], factor[MAX_TOKENS];
  LaneDraws draws;
  ulong in_row[LANES], out_row[LANES], lse_row[LANES];
  const int tokens = h->tokens, queries = h->queries, dim = h->heads * HEAD_DIM, rows = min(LANES, h->last - h->first);
  const float scale = h->scale;
  head_rows(in_row, h, (ulong)tokens * 3 * dim, HEAD_DIM);
  head_rows(out_row, h, (ulong)queries * dim, HEAD_DIM);
  head_rows(lse_row, h, (ulong)queries * h->heads, queries);
  load_keys_and_values(k, v, h, qkv, in_row);
  if (MASKED) load_bias(bias, mask, h);
  if (DROPOUT) draws = draws_of_heads(h);
  for (int i = 0; i < queries; ++i) {
    gather_rows(q, qkv + (ulong)(3 * i) * dim, in_row, HEAD_DIM);
#pragma unroll
    for (int d = 0; d < HEAD_DIM; ++d) q[d] *= scale * LOG2_E;
    floatL largest = (floatL)(-FLT_MAX);
    for (int j = 0; j < tokens; ++j) {
      p[j] = dot_lanes(q, k + j * HEAD_DIM);
      if (MASKED) p[j] += bias[j];
      largest = largest > p[j] ? largest : p[j];
    }
    floatL sum = (floatL)(0.0f);
    for (int j = 0; j < tokens; ++j) {
      p[j] = exp2_lanes(p[j] - largest);
      sum += p[j];
    }
    if (DROPOUT) factors_of_query(factor, h, &draws, i);
    floatL norm = 1.0f / sum;
    lse[i] = (largest + log2_lanes(sum)) * LN_2;
#pragma unroll
    for (int d = 0; d < HEAD_DIM; ++d) o[d] = (floatL)(0.0f);
    for (int j = 0; j < tokens; ++j) {
      const floatL weight = DROPOUT ? p[j] * factor[j] : p[j];
#pragma unroll
      for (int d = 0; d < HEAD_DIM; ++d) o[d] = vitcl_fma(weight, v[j * HEAD_DIM + d], o[d]);
    }
#pragma unroll
    for (int d = 0; d < HEAD_DIM; ++d) o[d] = MASKED ? (bias[i] < 0.0f ? (floatL)(0.0f) : o[d] * norm) : o[d] * norm;
    if (MASKED) lse[i] = bias[i] < 0.0f ? (floatL)(0.0f) : lse[i];
    scatter_rows(o, out + (ulong)i * dim, out_row, rows, HEAD_DIM, 0);
  }
  scatter_rows(lse, logsumexp, lse_row, rows, queries, 0);
}

// dqkv from dout. The query gradients of tokens that have no query are not written.
inline void attend_backward(const Heads* h, const __global float* dout, const __global float* qkv,
                            const __global float* out, const __global float* logsumexp, const __global uchar* mask,
                            __global float* dqkv, int accumulate) {
  floatL k[MAX_TOKENS * HEAD_DIM], v[MAX_TOKENS * HEAD_DIM], dk[MAX_TOKENS * HEAD_DIM], dv[MAX_TOKENS * HEAD_DIM];
  floatL p[MAX_TOKENS], bias[MAX_TOKENS], lse[MAX_TOKENS];
  floatL q[HEAD_DIM], o[HEAD_DIM], dq[HEAD_DIM], g[HEAD_DIM], factor[MAX_TOKENS];
  LaneDraws draws;
  ulong in_row[LANES], out_row[LANES], lse_row[LANES];
  const int tokens = h->tokens, queries = h->queries, dim = h->heads * HEAD_DIM, rows = min(LANES, h->last - h->first);
  const float scale = h->scale;
  head_rows(in_row, h, (ulong)tokens * 3 * dim, HEAD_DIM);
  head_rows(out_row, h, (ulong)queries * dim, HEAD_DIM);
  head_rows(lse_row, h, (ulong)queries * h->heads, queries);
  load_keys_and_values(k, v, h, qkv, in_row);
  for (int c = 0; c < tokens * HEAD_DIM; ++c) dk[c] = dv[c] = (floatL)(0.0f);
  gather_rows(lse, logsumexp, lse_row, queries);
  if (MASKED) load_bias(bias, mask, h);
  if (DROPOUT) draws = draws_of_heads(h);
  for (int i = 0; i < queries; ++i) {
    gather_rows(q, qkv + (ulong)(3 * i) * dim, in_row, HEAD_DIM);
    gather_rows(o, out + (ulong)i * dim, out_row, HEAD_DIM);
    gather_rows(g, dout + (ulong)i * dim, out_row, HEAD_DIM);
    if (MASKED)
      for (int d = 0; d < HEAD_DIM; ++d) g[d] = bias[i] < 0.0f ? (floatL)(0.0f) : g[d];
    for (int d = 0; d < HEAD_DIM; ++d) {
      q[d] *= scale * LOG2_E;
      dq[d] = (floatL)(0.0f);
    }
    const floatL delta = dot_lanes(g, o);
    const floatL lse2 = lse[i] * LOG2_E;
    for (int j = 0; j < tokens; ++j) {
      floatL s = dot_lanes(q, k + j * HEAD_DIM) - lse2;
      if (MASKED) s += bias[j];
      p[j] = exp2_lanes(s);
    }
    if (DROPOUT) factors_of_query(factor, h, &draws, i);
    for (int j = 0; j < tokens; ++j) {
      const floatL weight = DROPOUT ? p[j] * factor[j] : p[j];
#pragma unroll
      for (int d = 0; d < HEAD_DIM; ++d) dv[j * HEAD_DIM + d] = vitcl_fma(weight, g[d], dv[j * HEAD_DIM + d]);
      const floatL dp = dot_lanes(g, v + j * HEAD_DIM);
      p[j] *= (DROPOUT ? dp * factor[j] : dp) - delta;
    }
    for (int j = 0; j < tokens; ++j) {
#pragma unroll
      for (int d = 0; d < HEAD_DIM; ++d) {
        dk[j * HEAD_DIM + d] = vitcl_fma(p[j], q[d], dk[j * HEAD_DIM + d]);
        dq[d] = vitcl_fma(p[j], k[j * HEAD_DIM + d], dq[d]);
      }
    }
#pragma unroll
    for (int d = 0; d < HEAD_DIM; ++d) dq[d] *= scale;
    scatter_rows(dq, dqkv + (ulong)(3 * i) * dim, in_row, rows, HEAD_DIM, accumulate);
  }
  for (int t = 0; t < tokens; ++t) {
    for (int d = 0; d < HEAD_DIM; ++d) dk[t * HEAD_DIM + d] *= LN_2;
    scatter_rows(dk + t * HEAD_DIM, dqkv + (ulong)(3 * t + 1) * dim, in_row, rows, HEAD_DIM, accumulate);
    scatter_rows(dv + t * HEAD_DIM, dqkv + (ulong)(3 * t + 2) * dim, in_row, rows, HEAD_DIM, accumulate);
  }
}

#endif
