#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vitcl/ops/attention.hpp"

// The implementations of attention. Which one runs is decided by the device's capabilities and the shape, never by
// timing; VITCL_IMPL=attention:NAME forces one.
namespace vitcl::ops {

struct AttentionShape {
  size_t batch, tokens, heads, head_dim;
};

/// An implementation and why it can't serve, if so.
struct AttentionCandidate {
  std::string name;
  std::optional<std::string> refusal;
};

/// In order of preference; the first without a refusal runs. The batch does not matter, so that an image's result does
/// not depend on how many others come with it.
///   head_lanes  a vector lane is a head of an image; few tokens, small heads (cl/attention_head_lanes.cl)
///   lanes       a vector lane is a query or a key (cl/attention_lanes.cl)
///   work_group  a work-item is a query or a key, the other side in local memory (cl/attention.cl); takes everything
std::vector<AttentionCandidate> attention_candidates(const DeviceCaps& caps, const AttentionShape& shape);

}  // namespace vitcl::ops
