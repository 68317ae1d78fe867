#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vitcl::train {

/// How much each token of one image attends to each, in every block and head.
struct AttentionMaps {
  size_t depth = 0, heads = 0, tokens = 0;
  size_t leading = 0;          ///< tokens before those of the patches: the class token, if any
  bool cls_pool = false;       ///< the model's output is made of the class token, not of the mean of the patches
  std::vector<float> weights;  ///< (depth, heads, tokens, tokens): a row a query; its weights sum to 1

  size_t patches() const { return tokens - leading; }
};

/// softmax(scale q kᵀ) of each head from qkv (tokens, 3 dim), as ops/attention.hpp lays it out: (heads, tokens,
/// tokens). mask: (tokens) u8, 1 = visible, or empty. Masked keys get weight 0; so do all keys of a masked query.
std::vector<float> attention_weights(std::span<const float> qkv, size_t tokens, size_t heads, float scale,
                                     std::span<const uint8_t> mask = {});

/// What one head of one block looks at: (patches), the row of the class token, or the mean over the patches' rows.
std::vector<float> head_map(const AttentionMaps& maps, size_t block, size_t head);

/// Attention rollout (Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3): (patches), the
/// same row or mean of Ã_L ... Ã_1, where Ã is the mean over a block's heads plus the identity, each row scaled to sum
/// to 1.
std::vector<float> attention_rollout(const AttentionMaps& maps);

}  // namespace vitcl::train
