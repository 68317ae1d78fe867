#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace vitcl {

/// One block of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four random
/// words that are a pure function of counter and key, so any number can be drawn without drawing those before it.
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr int rounds = 10;
  for (int round = 0; round < rounds; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53U} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// A sequence of random numbers keyed by (seed, stream): equal keys give equal sequences on every platform, different
/// keys independent ones. A stream holds 2^66 words.
class Random {
 public:
  explicit constexpr Random(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  constexpr uint32_t next() {
    if (used_ == block_.size()) {
      block_ = philox4x32({static_cast<uint32_t>(index_), static_cast<uint32_t>(index_ >> 32),
                           static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                          {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
      ++index_;
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Uniform in [0, 1): a multiple of 2^-24, exact in float.
  constexpr float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24F; }
  /// Uniform in [low, high), up to rounding.
  constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }

  /// Uniform in [0, bound) without bias (Lemire's method); 0 where bound is 0 or 1.
  constexpr uint32_t below(uint32_t bound) {
    uint64_t product = uint64_t{next()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = (0U - bound) % bound;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

  /// Standard normal by Box and Muller. Computed in double and rounded once, so that a library's last bit of log or
  /// cos seldom shows.
  float normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius_uniform = (static_cast<double>(next() >> 8) + 0.5) * 0x1p-24;  // never 0
    const double angle = 2.0 * std::numbers::pi * static_cast<double>(uniform());
    const double radius = std::sqrt(-2.0 * std::log(radius_uniform));
    spare_ = static_cast<float>(radius * std::sin(angle));
    has_spare_ = true;
    return static_cast<float>(radius * std::cos(angle));
  }

 private:
  uint64_t seed_, stream_, index_ = 0;
  std::array<uint32_t, 4> block_{};
  size_t used_ = block_.size();
  float spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace vitcl
