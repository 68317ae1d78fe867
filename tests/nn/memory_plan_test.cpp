#include "nn/memory_plan.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "vitcl/tensor/random.hpp"

namespace vitcl::nn {
namespace {

TEST(MemoryPlan, ReusesMemoryThatIsNoLongerNeeded) {
  const std::vector<Allocation> chain = {{100, 0, 1}, {100, 1, 2}, {100, 2, 3}};
  const MemoryPlan plan = plan_memory(chain, 4);
  EXPECT_EQ(plan.total, 200U);
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);
}

TEST(MemoryPlan, FillsAGapBetweenLiveAllocations) {
  // 400 is placed first, then 300 and 200 above; once 300 is over, 200 bytes fit where it was.
  const std::vector<Allocation> allocations = {{400, 0, 9}, {300, 0, 2}, {200, 0, 9}, {200, 3, 9}};
  EXPECT_EQ(plan_memory(allocations, 1).total, 900U);
}

TEST(MemoryPlan, NothingIsNothing) { EXPECT_EQ(plan_memory({}, 64).total, 0U); }

// Whatever is live at the same time lies apart, everything is aligned, and no plan is worse than no reuse at all or
// better than the busiest step.
TEST(MemoryPlan, HoldsForRandomLifetimes) {
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    const size_t alignment = size_t{1} << random.below(8);
    std::vector<Allocation> allocations(1 + random.below(40));
    for (auto& a : allocations) {
      a.first = random.below(30);
      a.last = a.first + random.below(10);
      a.bytes = 1 + random.below(1000);
    }
    const MemoryPlan plan = plan_memory(allocations, alignment);
    size_t sum = 0;
    std::vector<size_t> live(40);
    for (size_t i = 0; i < allocations.size(); ++i) {
      const auto& a = allocations[i];
      EXPECT_EQ(plan.offsets[i] % alignment, 0U);
      EXPECT_LE(plan.offsets[i] + a.bytes, plan.total);
      for (size_t step = a.first; step <= a.last; ++step) live[step] += a.bytes;
      sum += a.bytes + alignment;
      for (size_t k = 0; k < i; ++k) {
        const auto& b = allocations[k];
        if (a.first > b.last || b.first > a.last) continue;
        EXPECT_TRUE(plan.offsets[i] + a.bytes <= plan.offsets[k] || plan.offsets[k] + b.bytes <= plan.offsets[i]);
      }
    }
    EXPECT_LE(plan.total, sum);
    EXPECT_GE(plan.total, *std::max_element(live.begin(), live.end()));
  }
}

}  // namespace
}  // namespace vitcl::nn
