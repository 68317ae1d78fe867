#include "vitcl/data/sampling.hpp"

#include <numeric>
#include <utility>

#include "vitcl/tensor/random.hpp"

namespace vitcl::data {

std::vector<int32_t> epoch_order(size_t count, uint64_t seed, uint64_t epoch) {
  constexpr uint64_t use = uint64_t{0x53485546} << 32;  // "SHUF": keeps the stream apart from other uses of the seed
  Random random(seed, use + epoch);
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (size_t last = count; last > 1; --last)
    std::swap(order[last - 1], order[random.below(static_cast<uint32_t>(last))]);
  return order;
}

}  // namespace vitcl::data
