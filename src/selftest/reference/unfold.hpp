#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "vitcl/ops/unfold.hpp"

namespace vitcl::reference {

/// Which element of x (batch, side * side, channels) each element of the windows is; x_size for the padding.
inline std::vector<size_t> unfold_sources(size_t batch, size_t side, size_t channels,
                                          const ops::UnfoldOptions& options) {
  const size_t grid = options.grid(side), window = options.window, x_size = batch * side * side * channels;
  std::vector<size_t> sources;
  for (size_t b = 0; b < batch; ++b) {
    for (size_t cell = 0; cell < grid * grid; ++cell) {
      for (size_t place = 0; place < window * window; ++place) {
        const size_t y = cell / grid * options.stride + place / window,
                     x = cell % grid * options.stride + place % window;
        const size_t before = options.padding;
        const bool inside = y >= before && y - before < side && x >= before && x - before < side;
        for (size_t c = 0; c < channels; ++c) {
          sources.push_back(inside ? ((b * side + y - before) * side + x - before) * channels + c : x_size);
        }
      }
    }
  }
  return sources;
}

template <class T>
void unfold_forward(std::span<const T> x, std::span<const size_t> sources, T pad_value, std::span<T> windows) {
  for (size_t i = 0; i < sources.size(); ++i) windows[i] = sources[i] < x.size() ? x[sources[i]] : pad_value;
}

template <class T>
void unfold_backward(std::span<const T> dwindows, std::span<const size_t> sources, std::span<T> dx) {
  for (T& d : dx) d = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i] < dx.size()) dx[sources[i]] += dwindows[i];
  }
}

}  // namespace vitcl::reference
