#pragma once

#include <cstddef>
#include <vector>

#include "vitcl/ops/parts.hpp"

namespace vitcl::train {

/// A sum in the binary tree over a step's shards: at level 0 a shard's own gradient, at level l that of the 2^l shards
/// from index 2^l on.
struct TreeNode {
  size_t level = 0, index = 0;
  size_t shards() const { return size_t{1} << level; }
  size_t first() const { return index << level; }
  size_t end() const { return first() + shards(); }  ///< behind its last shard
  bool operator==(const TreeNode&) const = default;
};

/// How a batch is cut into logical shards: by its size and a least number alone, so that results do not depend on the
/// devices.
class ShardCut {
 public:
  explicit ShardCut(size_t batch, size_t least = 1);
  size_t batch() const { return batch_; }
  size_t count() const { return count_; }
  /// Where the shard's images begin in the batch; begin(count()) is the batch's end.
  size_t begin(size_t shard) const { return ops::part_begin(batch_, shard, count_); }
  size_t images(size_t shard) const { return begin(shard + 1) - begin(shard); }
  size_t images(const TreeNode& node) const { return begin(node.end()) - begin(node.first()); }

 private:
  size_t batch_, count_;
};

/// A run of shards [first, end).
struct ShardRange {
  size_t first = 0, end = 0;
  bool empty() const { return first == end; }
  bool operator==(const ShardRange&) const = default;
};

/// The runs that devices with so many of `cut`'s shards get of a batch that may be smaller: `lead` the first, the
/// others behind it in their order.
std::vector<ShardRange> shard_ranges(const std::vector<size_t>& shares, size_t lead, size_t shards);

/// Puts a node on top of a stack of nodes that lie side by side, while two siblings lie on top of each other in place
/// of both their parent; returns how many became one.
size_t push_node(std::vector<TreeNode>& stack, TreeNode node);

/// What is on the stack once a run's shards were pushed: the largest sums that can be made of them alone.
std::vector<TreeNode> largest_sums(ShardRange range);

}  // namespace vitcl::train
