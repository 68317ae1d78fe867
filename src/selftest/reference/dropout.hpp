#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vitcl/tensor/random.hpp"

namespace vitcl::reference {

/// The words of a random block for sample `sample` of `draws` (samples, 4): the seed's two words, the sample's number,
/// the epoch.
inline std::array<uint32_t, 4> draw(std::span<const double> draws, size_t sample, size_t block, uint32_t use) {
  const auto word = [&](size_t i) { return static_cast<uint32_t>(static_cast<int64_t>(draws[4 * sample + i])); };
  return philox4x32({static_cast<uint32_t>(block), word(2), word(3), 0x44524F50U + use}, {word(0), word(1)});
}

/// 0 where the number in [0, 1) that a random word stands for is below the rate, else 1 / (1 - rate).
inline double dropout_factor(uint32_t word, float rate) {
  const auto probability = static_cast<double>(rate);
  return static_cast<double>(word >> 8U) * 0x1p-24 < probability ? 0 : 1 / (1 - probability);
}

/// The factor of every element, `size` a sample. Of 64 elements, 16 w + b takes word w of block b.
inline std::vector<double> dropout_factors(std::span<const double> draws, size_t size, uint32_t use, float rate) {
  std::vector<double> factors;
  for (size_t sample = 0; sample < draws.size() / 4; ++sample) {
    for (size_t i = 0; i < size; ++i) {
      factors.push_back(dropout_factor(draw(draws, sample, i / 64 * 16 + i % 16, use)[i / 16 % 4], rate));
    }
  }
  return factors;
}

/// The same where a sample is dropped whole.
inline std::vector<double> drop_path_factors(std::span<const double> draws, size_t size, uint32_t use, float rate) {
  std::vector<double> factors;
  for (size_t sample = 0; sample < draws.size() / 4; ++sample) {
    factors.insert(factors.end(), size, dropout_factor(draw(draws, sample, 0, use)[0], rate));
  }
  return factors;
}

/// Attention's: for each probability of (sample, head, query, key). Of a query's keys, four share a block.
inline std::vector<double> attention_dropout_factors(std::span<const double> draws, size_t heads, size_t tokens,
                                                     uint32_t use, float rate) {
  std::vector<double> factors;
  const size_t blocks = (tokens + 3) / 4;
  for (size_t sample = 0; sample < draws.size() / 4; ++sample) {
    for (size_t row = 0; row < heads * tokens; ++row) {
      for (size_t key = 0; key < tokens; ++key) {
        factors.push_back(dropout_factor(draw(draws, sample, row * blocks + key / 4, use)[key % 4], rate));
      }
    }
  }
  return factors;
}

/// Forward (x to y) and backward (dy to dx): the factors are constants.
template <class T>
void dropout(std::span<const T> source, std::span<const double> factors, std::span<T> target) {
  for (size_t i = 0; i < source.size(); ++i) target[i] = factors[i] * source[i];
}

}  // namespace vitcl::reference
