#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numbers>
#include <string_view>

namespace vitcl::selftest {

/// A small reproducible generator (SplitMix64, Steele, Lea, Flood 2014), the same on every platform.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  /// A stream of its own for everything that has a name.
  explicit SplitMix(std::string_view name) {
    for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }

  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1p-53; }
  /// Standard normal (Box, Muller 1958).
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform()); }
  /// Uniform in {low, ..., high}.
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }

 private:
  uint64_t state_ = 0xCBF29CE484222325ULL;
};

/// Makes element `index` of a tensor; the result is rounded to the tensor's type.
using Fill = std::function<double(SplitMix&, size_t index)>;

inline Fill normal(double deviation = 1, double mean = 0) {
  return [=](SplitMix& random, size_t) { return mean + deviation * random.normal(); };
}
inline Fill uniform(double low, double high) {
  return [=](SplitMix& random, size_t) { return low + (high - low) * random.uniform(); };
}
/// Uniform in {low, ..., high}: labels, masks, bytes, and values whose sums are exact.
inline Fill integers(int64_t low, int64_t high) {
  return [=](SplitMix& random, size_t) { return static_cast<double>(random.integer(low, high)); };
}
inline Fill constant(double value) {
  return [=](SplitMix&, size_t) { return value; };
}

}  // namespace vitcl::selftest
