#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "selftest/reference/unfold.hpp"

namespace vitcl::reference {

struct ConvolutionSizes {
  size_t batch, side, in, out;
  ops::UnfoldOptions options;

  /// The elements of a window.
  size_t length() const { return options.window * options.window * in; }
  std::vector<size_t> sources() const { return unfold_sources(batch, side, in, options); }
};

template <class T>
void convolution_forward(std::span<const T> x, std::span<const T> w, std::span<const T> bias, const ConvolutionSizes& s,
                         std::span<T> y) {
  const std::vector<size_t> sources = s.sources();
  for (size_t i = 0; i < y.size(); ++i) y[i] = bias[i % s.out];
  for (size_t i = 0; i < sources.size(); ++i) {
    const size_t window = i / s.length(), element = i % s.length();
    const T value = sources[i] < x.size() ? x[sources[i]] : T(s.options.pad_value);
    for (size_t o = 0; o < s.out; ++o) y[window * s.out + o] += value * w[o * s.length() + element];
  }
}

template <class T>
void convolution_backward(std::span<const T> dy, std::span<const T> x, std::span<const T> w, const ConvolutionSizes& s,
                          std::span<T> dx, std::span<T> dw, std::span<T> dbias) {
  const std::vector<size_t> sources = s.sources();
  std::ranges::fill(dx, T(0));
  std::ranges::fill(dw, T(0));
  std::ranges::fill(dbias, T(0));
  for (size_t i = 0; i < dy.size(); ++i) dbias[i % s.out] += dy[i];
  for (size_t i = 0; i < sources.size(); ++i) {
    const size_t window = i / s.length(), element = i % s.length();
    const bool inside = sources[i] < x.size();
    for (size_t o = 0; o < s.out; ++o) {
      const T d = dy[window * s.out + o];
      dw[o * s.length() + element] += d * (inside ? x[sources[i]] : T(s.options.pad_value));
      if (inside) dx[sources[i]] += d * w[o * s.length() + element];
    }
  }
}

}  // namespace vitcl::reference
