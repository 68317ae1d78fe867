#include "vitcl/train/nearest_name.hpp"

#include <algorithm>
#include <vector>

namespace vitcl::train {
namespace {

size_t distance(std::string_view a, std::string_view b) {
  const size_t row = b.size() + 1;
  std::vector<size_t> costs((a.size() + 1) * row);  // from the first i letters of a to the first j of b
  const auto cost = [&](size_t i, size_t j) -> size_t& { return costs[i * row + j]; };
  for (size_t i = 0; i <= a.size(); ++i) cost(i, 0) = i;
  for (size_t j = 0; j <= b.size(); ++j) cost(0, j) = j;
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = cost(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost(i, j) = std::min({cost(i - 1, j) + 1, cost(i, j - 1) + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost(i, j) = std::min(cost(i, j), cost(i - 2, j - 2) + 1);
    }
  return cost(a.size(), b.size());
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> candidates) {
  constexpr size_t shortest_beginning = 3, longest = 64;
  if (name.empty() || name.size() > longest) return std::nullopt;
  std::optional<std::string> nearest;
  size_t least = std::max((name.size() + 1) / 3, size_t{1}) + 1;
  for (const std::string& candidate : candidates) {
    const bool begins = name.size() >= shortest_beginning && candidate.starts_with(name);
    const size_t steps = begins ? 0 : distance(name, candidate);
    if (steps >= least) continue;
    least = steps;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace vitcl::train
