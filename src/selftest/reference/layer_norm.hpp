#pragma once

#include <cmath>
#include <cstddef>
#include <span>

namespace vitcl::reference {

// Rows of weight.size() features; mean.size() rows.

/// y = (x - mean) rstd weight + bias with rstd = 1 / sqrt(variance + epsilon), biased variance.
template <class T>
void layer_norm_forward(std::span<const T> x, std::span<const T> weight, std::span<const T> bias, double epsilon,
                        std::span<T> y, std::span<T> mean, std::span<T> rstd) {
  const size_t dim = weight.size();
  for (size_t r = 0; r < mean.size(); ++r) {
    T sum = 0, squares = 0;
    for (size_t c = 0; c < dim; ++c) sum += x[r * dim + c];
    mean[r] = sum / static_cast<double>(dim);
    for (size_t c = 0; c < dim; ++c) squares += (x[r * dim + c] - mean[r]) * (x[r * dim + c] - mean[r]);
    rstd[r] = 1.0 / std::sqrt(squares / static_cast<double>(dim) + epsilon);
    for (size_t c = 0; c < dim; ++c) y[r * dim + c] = (x[r * dim + c] - mean[r]) * rstd[r] * weight[c] + bias[c];
  }
}

/// With n = (x - mean) rstd and g = dy weight: dx = rstd (g - mean(g) - n mean(g n)); dweight = sum of dy n over the
/// rows, dbias = sum of dy.
template <class T>
void layer_norm_backward(std::span<const T> dy, std::span<const T> x, std::span<const T> weight,
                         std::span<const T> mean, std::span<const T> rstd, std::span<T> dx, std::span<T> dweight,
                         std::span<T> dbias) {
  const size_t dim = weight.size();
  for (size_t c = 0; c < dim; ++c) dweight[c] = dbias[c] = 0;
  for (size_t r = 0; r < mean.size(); ++r) {
    const auto normal = [&](size_t c) { return (x[r * dim + c] - mean[r]) * rstd[r]; };
    const auto scaled = [&](size_t c) { return dy[r * dim + c] * weight[c]; };
    T g = 0, gn = 0;
    for (size_t c = 0; c < dim; ++c) {
      g += scaled(c) / static_cast<double>(dim);
      gn += scaled(c) * normal(c) / static_cast<double>(dim);
      dweight[c] += dy[r * dim + c] * normal(c);
      dbias[c] += dy[r * dim + c];
    }
    for (size_t c = 0; c < dim; ++c) dx[r * dim + c] = rstd[r] * (scaled(c) - g - normal(c) * gn);
  }
}

}  // namespace vitcl::reference
