#pragma once

#include "vitcl/io/image.hpp"
#include "vitcl/models/vit.hpp"
#include "vitcl/train/attention_maps.hpp"

namespace vitcl::cli {

/// What a model looks at in `picture`, of any size: above, large, the picture and the attention rollout; below, a row a
/// block from the first on and a column a head, what each head attends to. Orange to yellow lies over what is attended
/// to; a head's scale goes from 0 to its largest value, the rollout's from its least.
io::Image attention_picture(const io::Image& picture, const models::ViTConfig& model, const train::AttentionMaps& maps);

}  // namespace vitcl::cli
