#include "gradient_sum.hpp"

#include <algorithm>
#include <bit>

#include "vitcl/ops/add.hpp"

namespace vitcl::train {

// A run that starts and ends inside the tree leaves at most two sums a level below the root's branches; a run from the
// first shard one a level, with one more on top before it is joined.
GradientSum::GradientSum(Queue& queue, size_t elements, size_t shards) : queue_(queue) {
  const auto levels = static_cast<size_t>(std::bit_width(shards)) - 1;
  const size_t most = std::max(levels + 1, 2 * levels - std::min<size_t>(2 * levels, 2));
  for (size_t i = 0; i < most; ++i) {
    slots_.push_back(Tensor::empty(queue.device(), {elements}));
    queue.zero(slots_.back().buffer());
  }
  // Has the kernel compiled now, not by several devices' threads at once.
  ops::add_backward(queue, slots_.front(), ops::GradMode::overwrite, slots_.back());
}

void GradientSum::add(TreeNode node, const Tensor& sum) {
  const size_t joined = push_node(nodes_, node), top = nodes_.size() - 1;
  ops::add_backward(queue_, sum, joined > 0 ? ops::GradMode::accumulate : ops::GradMode::overwrite,
                    slots_[top + (joined > 0 ? joined - 1 : 0)]);
  if (joined > 1) join(joined - 1);
}

void GradientSum::add(TreeNode node, const std::vector<float>& sum) {
  upload<float>(queue_, sum, slots_[nodes_.size()]);
  join(push_node(nodes_, node));
}

void GradientSum::total() {
  const size_t open = nodes_.size() - 1;
  nodes_.resize(1);
  join(open);
}

/// Adds the `count` slots behind the top node's, the last first, each to the one before it.
void GradientSum::join(size_t count) {
  for (size_t i = nodes_.size() - 1 + count; i > nodes_.size() - 1; --i) {
    ops::add_backward(queue_, slots_[i], ops::GradMode::accumulate, slots_[i - 1]);
  }
}

}  // namespace vitcl::train
