#pragma once

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>

namespace vitcl::reference {

/// y = x Phi(x), Phi the normal distribution function. T is double or long double.
template <class T>
void gelu_forward(std::span<const T> x, std::span<T> y) {
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] / 2 * (1 + std::erf(x[i] / std::numbers::sqrt2_v<T>));
}

/// dx = dy (Phi(x) + x phi(x)), phi the normal density.
template <class T>
void gelu_backward(std::span<const T> dy, std::span<const T> x, std::span<T> dx) {
  for (size_t i = 0; i < x.size(); ++i) {
    const T distribution = (1 + std::erf(x[i] / std::numbers::sqrt2_v<T>)) / 2;
    const T density = std::exp(-x[i] * x[i] / 2) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
    dx[i] = dy[i] * (distribution + x[i] * density);
  }
}

}  // namespace vitcl::reference
