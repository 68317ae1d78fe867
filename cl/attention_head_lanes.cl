// Self-attention for few tokens and small heads on CPU devices: a work-item takes LANES heads.
//
// Macros, see common/head_lanes.h:
//   LANES       8 or 16
//   HEAD_DIM    D
//   MAX_TOKENS  room for tokens in private memory
//   MASKED      1 where `mask` is read, else 0
//   DROPOUT     1 where probabilities are dropped, else 0
#if !defined(LANES) || !defined(HEAD_DIM) || !defined(MAX_TOKENS) || !defined(MASKED) || !defined(DROPOUT)
#error "attention_head_lanes.cl: LANES, HEAD_DIM, MAX_TOKENS, MASKED and DROPOUT must be defined"
#endif
#include "common/head_lanes.h"

static inline Heads heads_of_item(float scale, int batch, int tokens, int heads, int leading, Dropout dropout) {
  Heads h;
  h.first = (int)get_global_id(0) * LANES, h.last = batch * heads;
  h.heads = heads, h.tokens = h.queries = tokens, h.leading = leading;
  h.scale = scale, h.dropout = dropout;
  return h;
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_forward(
    const __global float* qkv, const __global uchar* mask, __global float* out, __global float* logsumexp, float scale,
    int batch, int tokens, int heads, int leading, const __global int* draws, uint use, uint threshold, float kept) {
  const Dropout dropout = {draws, use, threshold, kept};
  const Heads h = heads_of_item(scale, batch, tokens, heads, leading, dropout);
  attend(&h, qkv, mask, out, logsumexp);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_backward(
    const __global float* dout, const __global float* qkv, const __global float* out, const __global float* logsumexp,
    const __global uchar* mask, __global float* dqkv, float scale, int batch, int tokens, int heads, int leading,
    int accumulate, const __global int* draws, uint use, uint threshold, float kept) {
  const Dropout dropout = {draws, use, threshold, kept};
  const Heads h = heads_of_item(scale, batch, tokens, heads, leading, dropout);
  attend_backward(&h, dout, qkv, out, logsumexp, mask, dqkv, accumulate);
}
