#include "nn/memory_plan.hpp"

#include <algorithm>
#include <numeric>

#include "vitcl/backend/buffer.hpp"

namespace vitcl::nn {
namespace {

bool overlap_in_time(const Allocation& a, const Allocation& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

MemoryPlan plan_memory(std::span<const Allocation> allocations, size_t alignment) {
  std::vector<size_t> order(allocations.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return allocations[a].bytes > allocations[b].bytes; });

  MemoryPlan plan;
  plan.offsets.resize(allocations.size());
  std::vector<size_t> placed;  // by rising offset
  for (const size_t next : order) {
    const size_t bytes = align_up(allocations[next].bytes, alignment);
    size_t offset = 0;
    for (const size_t other : placed) {
      if (!overlap_in_time(allocations[next], allocations[other])) continue;
      if (offset + bytes <= plan.offsets[other]) break;  // fits in the gap before it
      offset = std::max(offset, align_up(plan.offsets[other] + allocations[other].bytes, alignment));
    }
    plan.offsets[next] = offset;
    plan.total = std::max(plan.total, offset + bytes);
    const auto behind = std::upper_bound(placed.begin(), placed.end(), offset,
                                         [&](size_t value, size_t i) { return value < plan.offsets[i]; });
    placed.insert(behind, next);
  }
  return plan;
}

}  // namespace vitcl::nn
