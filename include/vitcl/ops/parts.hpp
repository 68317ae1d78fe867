#pragma once

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// A batch in parts, as several devices share it. Gradients are summed over each part and then over the parts in a
// binary tree, so that whoever computes a branch of the tree adds the same numbers in the same order.

/// Where part number `part` of `parts`, a power of two, begins among `samples`; part_begin(n, parts, parts) is n. The
/// samples are halved, and their halves again; of two halves the first is the smaller.
size_t part_begin(size_t samples, size_t part, size_t parts);

/// `count` f32, i32 or f16 elements of source from `source_first` on, to target from `target_first` on: where a
/// Buffer's slice can't start. Throws ShapeError where either ends before.
void copy_range(Queue& queue, const Tensor& source, size_t source_first, const Tensor& target, size_t target_first,
                size_t count);

/// target = the sum over the parts, in a binary tree, of the first elements of each row.
///   rows: (parts, as many as target or more), parts a power of two up to 2^15
void sum_parts(Queue& queue, const Tensor& rows, GradMode mode, const Tensor& target);

}  // namespace vitcl::ops
