#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitcl::data {

/// The order in which an epoch visits `count` samples: a permutation of 0 .. count - 1 drawn by Fisher and Yates from
/// Philox numbers keyed by (seed, epoch). It depends on nothing else, so a resumed run meets the same order.
std::vector<int32_t> epoch_order(size_t count, uint64_t seed, uint64_t epoch);

}  // namespace vitcl::data
