#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace vitcl::nn {

/// Memory that is needed from step `first` to step `last`, both included.
struct Allocation {
  size_t bytes;
  size_t first, last;
};

/// Where each allocation lies in one arena.
struct MemoryPlan {
  std::vector<size_t> offsets;
  size_t total = 0;
};

/// Places allocations so that two share bytes only if their steps don't overlap: largest first, each at the lowest
/// offset that is free during its life (greedy by size; Pisarchyk, Lee 2020, "Efficient memory management for deep
/// neural net inference"). Offsets are multiples of `alignment`.
MemoryPlan plan_memory(std::span<const Allocation> allocations, size_t alignment);

}  // namespace vitcl::nn
