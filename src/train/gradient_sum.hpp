#pragma once

#include <vector>

#include "shards.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::train {

/// Adds the gradients of a step's shards on a device, in the order of a binary tree over the shards. Where a branch was
/// summed does not matter: the additions are the same.
class GradientSum {
 public:
  /// Room for the sums of any run of `shards` shards, `elements` numbers each.
  GradientSum(Queue& queue, size_t elements, size_t shards);

  void clear() { nodes_.clear(); }
  /// Adds the sum over the shards behind those that were added so far.
  void add(TreeNode node, const Tensor& sum);
  /// Adds what another device summed of the shards behind.
  void add(TreeNode node, const std::vector<float>& sum);
  /// Adds up what is left, right to left where the tree is not full: slot(0) is the sum of everything.
  void total();

  /// Where the i-th of the sums lies that can be made so far, largest_sums().
  const Tensor& slot(size_t i) const { return slots_[i]; }

 private:
  void join(size_t count);
  Queue& queue_;
  std::vector<TreeNode> nodes_;
  std::vector<Tensor> slots_;
};

}  // namespace vitcl::train
