#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace vitcl::reference {

/// The weight of every token of every image in its pooled vector: 1 for the first token with CLS pooling.
inline std::vector<double> cls_weights(size_t batch, size_t tokens) {
  std::vector<double> weights(batch * tokens, 0);
  for (size_t b = 0; b < batch; ++b) weights[b * tokens] = 1;
  return weights;
}

/// 1 / (number of visible patches) for the visible ones behind `leading`; an empty mask hides none.
template <class Mask>
std::vector<double> mean_weights(size_t batch, size_t tokens, size_t leading, std::span<const Mask> mask) {
  std::vector<double> weights(batch * tokens, 0);
  const size_t patches = tokens - leading;
  for (size_t b = 0; b < batch; ++b) {
    const auto visible = [&](size_t p) { return mask.empty() || mask[b * patches + p] != 0; };
    size_t count = 0;
    for (size_t p = 0; p < patches; ++p) count += visible(p) ? 1 : 0;
    for (size_t p = 0; p < patches; ++p) {
      if (visible(p)) weights[b * tokens + leading + p] = 1.0 / static_cast<double>(count);
    }
  }
  return weights;
}

/// y = sum over the tokens of weight times token.
template <class T>
void pool_forward(std::span<const T> tokens, std::span<const double> weights, size_t batch, std::span<T> y) {
  const size_t dim = y.size() / batch, count = weights.size() / batch;
  for (size_t b = 0; b < batch; ++b) {
    for (size_t c = 0; c < dim; ++c) {
      T sum = 0;
      for (size_t t = 0; t < count; ++t) sum += weights[b * count + t] * tokens[(b * count + t) * dim + c];
      y[b * dim + c] = sum;
    }
  }
}

template <class T>
void pool_backward(std::span<const T> dy, std::span<const double> weights, size_t batch, std::span<T> dtokens) {
  const size_t dim = dy.size() / batch, count = weights.size() / batch;
  for (size_t i = 0; i < dtokens.size(); ++i) {
    const size_t token = i / dim;
    dtokens[i] = weights[token] * dy[token / count * dim + i % dim];
  }
}

}  // namespace vitcl::reference
