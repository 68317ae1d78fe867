#pragma once

#include <vector>

#include "vitcl/backend/choices.hpp"
#include "vitcl/ops/attention.hpp"

// The implementations of attention, of which choose_implementation() takes one for forward and backward.
namespace vitcl::ops {

struct AttentionShape {
  size_t batch, tokens, heads, head_dim;
  DType storage = DType::f32;  ///< of all but the log-sum-exp
  bool drops = false;          ///< probabilities
};

/// In order of preference, which does not look at the batch: untuned, an image's result does not depend on how many
/// others come with it.
///   head_lanes  a vector lane is a head of an image; few tokens, small heads (cl/attention_head_lanes.cl)
///   lanes       a vector lane is a query or a key (cl/attention_lanes.cl)
///   work_group  a work-item is a query or a key, the other side in local memory (cl/attention.cl); takes everything,
///               f16 too
std::vector<Candidate> attention_candidates(const DeviceCaps& caps, const AttentionShape& shape);

}  // namespace vitcl::ops
