#pragma once

#include <cstddef>
#include <span>

namespace vitcl::reference {

// x, dx: (rows, in); w, dw: (out, in); bias, db: (out); y, dy: (rows, out); all row-major. T is a real or complex type.

/// y = x wᵀ + bias; an empty bias is none.
template <class T>
void linear_forward(std::span<const T> x, std::span<const T> w, std::span<const T> bias, size_t in, size_t out,
                    std::span<T> y) {
  for (size_t row = 0; row < y.size() / out; ++row) {
    for (size_t j = 0; j < out; ++j) {
      T sum = bias.empty() ? T(0) : bias[j];
      for (size_t i = 0; i < in; ++i) sum += x[row * in + i] * w[j * in + i];
      y[row * out + j] = sum;
    }
  }
}

/// dx = dy w.
template <class T>
void linear_backward_input(std::span<const T> dy, std::span<const T> w, size_t in, size_t out, std::span<T> dx) {
  for (T& value : dx) value = T(0);
  for (size_t row = 0; row < dy.size() / out; ++row) {
    for (size_t j = 0; j < out; ++j) {
      for (size_t i = 0; i < in; ++i) dx[row * in + i] += dy[row * out + j] * w[j * in + i];
    }
  }
}

/// dw = dyᵀ x.
template <class T>
void linear_backward_weight(std::span<const T> dy, std::span<const T> x, size_t in, size_t out, std::span<T> dw) {
  for (T& value : dw) value = T(0);
  for (size_t row = 0; row < dy.size() / out; ++row) {
    for (size_t j = 0; j < out; ++j) {
      for (size_t i = 0; i < in; ++i) dw[j * in + i] += dy[row * out + j] * x[row * in + i];
    }
  }
}

/// db = the column sums of dy.
template <class T>
void bias_backward(std::span<const T> dy, std::span<T> db) {
  for (T& value : db) value = T(0);
  for (size_t i = 0; i < dy.size(); ++i) db[i % db.size()] += dy[i];
}

}  // namespace vitcl::reference
