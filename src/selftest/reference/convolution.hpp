#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "vitcl/ops/unfold.hpp"

namespace vitcl::reference {

struct ConvolutionSizes {
  size_t batch, side, in, out;
  ops::UnfoldOptions options;
};

/// Calls visit(window, token or -1, place, channel of x) for each element of each window; the token is one of all
/// images'.
template <class Visit>
void each_window_element(const ConvolutionSizes& s, Visit&& visit) {
  const size_t grid = s.options.grid(s.side), places = s.options.window * s.options.window;
  for (size_t window = 0; window < s.batch * grid * grid; ++window) {
    const size_t image = window / (grid * grid), row = window / grid % grid, column = window % grid;
    for (size_t place = 0; place < places; ++place) {
      const auto offset = [&](size_t cell, size_t at) {
        return static_cast<ptrdiff_t>(cell * s.options.stride + at) - static_cast<ptrdiff_t>(s.options.padding);
      };
      const ptrdiff_t side = static_cast<ptrdiff_t>(s.side), y = offset(row, place / s.options.window),
                      x = offset(column, place % s.options.window);
      const bool inside = y >= 0 && y < side && x >= 0 && x < side;
      const ptrdiff_t token = inside ? (static_cast<ptrdiff_t>(image) * side + y) * side + x : -1;
      for (size_t channel = 0; channel < s.in; ++channel) visit(window, token, place, channel);
    }
  }
}

template <class T>
void convolution_forward(std::span<const T> x, std::span<const T> w, std::span<const T> bias, const ConvolutionSizes& s,
                         std::span<T> y) {
  const size_t length = s.options.window * s.options.window * s.in;
  for (size_t i = 0; i < y.size(); ++i) y[i] = bias[i % s.out];
  each_window_element(s, [&](size_t window, ptrdiff_t token, size_t place, size_t channel) {
    const T value = token < 0 ? T(s.options.pad_value) : x[static_cast<size_t>(token) * s.in + channel];
    for (size_t o = 0; o < s.out; ++o) y[window * s.out + o] += value * w[o * length + place * s.in + channel];
  });
}

template <class T>
void convolution_backward(std::span<const T> dy, std::span<const T> x, std::span<const T> w, const ConvolutionSizes& s,
                          std::span<T> dx, std::span<T> dw, std::span<T> dbias) {
  const size_t length = s.options.window * s.options.window * s.in;
  std::ranges::fill(dx, T(0));
  std::ranges::fill(dw, T(0));
  std::ranges::fill(dbias, T(0));
  for (size_t i = 0; i < dy.size(); ++i) dbias[i % s.out] += dy[i];
  each_window_element(s, [&](size_t window, ptrdiff_t token, size_t place, size_t channel) {
    const size_t at = static_cast<size_t>(token) * s.in + channel, weight = place * s.in + channel;
    for (size_t o = 0; o < s.out; ++o) {
      const T d = dy[window * s.out + o];
      dw[o * length + weight] += d * (token < 0 ? T(s.options.pad_value) : x[at]);
      if (token >= 0) dx[at] += d * w[o * length + weight];
    }
  });
}

}  // namespace vitcl::reference
