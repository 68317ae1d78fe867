#include "shards.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace vitcl::train {
namespace {

// A power of two, so that halves and quarters of the work are whole branches of the tree: small enough for shares of
// some precision, large enough that a shard keeps a device busy.
size_t shard_count(size_t batch, size_t least_wanted) {
  constexpr size_t images = 12, least = 8, most = 16;
  const size_t wanted = std::clamp(batch / images, std::min(batch, least), most);
  return std::bit_floor(std::clamp<size_t>(std::bit_ceil(least_wanted), wanted, batch));
}

}  // namespace

ShardCut::ShardCut(size_t batch, size_t least) : batch_(batch), count_(shard_count(batch, least)) {}

std::vector<ShardRange> shard_ranges(const std::vector<size_t>& shares, size_t lead, size_t shards) {
  const size_t all = std::accumulate(shares.begin(), shares.end(), size_t{0});
  std::vector<ShardRange> ranges(shares.size());
  size_t before = 0;
  const auto take = [&](size_t device) {
    const size_t after = before + shares[device];
    ranges[device] = {before * shards / all, after * shards / all};
    before = after;
  };
  take(lead);
  for (size_t device = 0; device < shares.size(); ++device) {
    if (device != lead) take(device);
  }
  return ranges;
}

size_t push_node(std::vector<TreeNode>& stack, TreeNode node) {
  size_t joined = 0;
  for (; node.index % 2 == 1 && !stack.empty() && stack.back().level == node.level; ++joined) {
    stack.pop_back();
    node = {node.level + 1, node.index / 2};
  }
  stack.push_back(node);
  return joined;
}

std::vector<TreeNode> largest_sums(ShardRange range) {
  std::vector<TreeNode> stack;
  for (size_t shard = range.first; shard < range.end; ++shard) push_node(stack, {0, shard});
  return stack;
}

}  // namespace vitcl::train
