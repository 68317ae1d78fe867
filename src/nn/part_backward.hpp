#pragma once

#include <cstddef>
#include <vector>

#include "vitcl/nn/layer.hpp"

namespace vitcl::nn {

// The backward pass of a layer with parameters, part by part of the batch: their gradients are summed over each part
// and then in a binary tree over the parts (ops/parts.hpp). Other gradients are those of the whole batch.

/// Bytes of scratch for part_backward(), the layer's own among them. `inputs`: the shapes of the layer's inputs.
size_t part_backward_workspace_bytes(const Layer& layer, const LayerPlan& plan, const std::vector<Shape>& inputs,
                                     size_t parts, size_t alignment);

/// `args`: as for the layer's own backward, but for the workspace. `parts`: a power of two, at most the batch.
void part_backward(Queue& queue, const Layer& layer, const LayerPlan& plan, const BackwardArgs& args, size_t parts);

}  // namespace vitcl::nn
