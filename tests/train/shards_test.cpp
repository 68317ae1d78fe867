#include "train/shards.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace vitcl::test {
namespace {

using train::ShardCut;
using train::ShardRange;
using train::TreeNode;

TEST(ShardCut, CutsEveryBatchInNearlyEqualShards) {
  for (size_t batch = 1; batch < 600; ++batch) {
    const ShardCut cut(batch);
    size_t images = 0, smallest = batch, largest = 0;
    for (size_t shard = 0; shard < cut.count(); ++shard) {
      EXPECT_EQ(cut.begin(shard), images);
      images += cut.images(shard);
      smallest = std::min(smallest, cut.images(shard));
      largest = std::max(largest, cut.images(shard));
    }
    EXPECT_EQ(images, batch);
    EXPECT_GE(smallest, 1U);
    EXPECT_LE(largest - smallest, 1U);
    EXPECT_GE(ShardCut(batch + 1).count(), cut.count()) << "a smaller last batch has no more shards";
  }
  EXPECT_EQ(ShardCut(1).count(), 1U);
  EXPECT_EQ(ShardCut(100).count(), 8U);
  EXPECT_EQ(ShardCut(1000).count(), 16U);
}

TEST(ShardRanges, TileTheBatchWithTheLeadFirst) {
  EXPECT_EQ(train::shard_ranges({3, 5}, 0, 8), (std::vector<ShardRange>{{0, 3}, {3, 8}}));
  EXPECT_EQ(train::shard_ranges({3, 0, 5}, 2, 8), (std::vector<ShardRange>{{5, 8}, {8, 8}, {0, 5}}));
  EXPECT_EQ(train::shard_ranges({4, 4}, 0, 2), (std::vector<ShardRange>{{0, 1}, {1, 2}}));
  EXPECT_EQ(train::shard_ranges({7, 1}, 0, 1), (std::vector<ShardRange>{{0, 0}, {0, 1}}));
}

TEST(LargestSums, AreWholeBranches) {
  EXPECT_EQ(train::largest_sums({0, 8}), (std::vector<TreeNode>{{3, 0}}));
  EXPECT_EQ(train::largest_sums({4, 8}), (std::vector<TreeNode>{{2, 1}}));
  EXPECT_EQ(train::largest_sums({3, 8}), (std::vector<TreeNode>{{0, 3}, {2, 1}}));
  EXPECT_EQ(train::largest_sums({1, 7}), (std::vector<TreeNode>{{0, 1}, {1, 1}, {1, 2}, {0, 6}}));
  EXPECT_EQ(train::largest_sums({5, 5}), std::vector<TreeNode>());
}

TEST(LargestSums, OfAnyCutMakeTheSameTree) {
  constexpr size_t shards = 16;
  for (size_t a = 0; a <= shards; ++a) {
    for (size_t b = a; b <= shards; ++b) {
      std::vector<TreeNode> stack;
      for (const ShardRange range : {ShardRange{0, a}, ShardRange{a, b}, ShardRange{b, shards}}) {
        for (const TreeNode node : train::largest_sums(range)) train::push_node(stack, node);
      }
      EXPECT_EQ(stack, (std::vector<TreeNode>{{4, 0}})) << a << " " << b;
    }
  }
}

}  // namespace
}  // namespace vitcl::test
