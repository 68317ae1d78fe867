#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <span>
#include <vector>

namespace vitcl::reference {

/// Sizes as in vitcl/ops/attention.hpp: qkv (batch, tokens, 3 dim), out (batch, tokens, dim), logsumexp (batch, heads,
/// tokens), dim = heads * head_dim. `mask` is (batch, columns) and may be empty: everything is visible.
struct AttentionSizes {
  size_t batch, tokens, heads, head_dim;
  double scale = 1;
  std::span<const double> mask = {};
  std::span<const double> factors = {};  ///< (batch, heads, tokens, tokens): dropout's, of the probabilities

  size_t dim() const { return heads * head_dim; }
  bool visible(size_t image, size_t token) const {
    const size_t columns = mask.size() / batch, leading = tokens - columns;
    return token < leading || mask[image * columns + token - leading] != 0;
  }
  double factor(size_t image, size_t head, size_t query, size_t key) const {
    return factors.empty() ? 1 : factors[((image * heads + head) * tokens + query) * tokens + key];
  }
  /// Where in qkv the head's row of queries (part 0), keys (1) or values (2) for `token` starts.
  size_t row(size_t image, size_t token, size_t part, size_t head) const {
    return ((image * tokens + token) * 3 + part) * dim() + head * head_dim;
  }
  size_t out_row(size_t image, size_t token, size_t head) const {
    return (image * tokens + token) * dim() + head * head_dim;
  }
};

/// The probabilities with which query i of a head looks at every key, all 0 for a masked query. Sets `logsumexp`.
template <class T>
std::vector<T> attention_probabilities(std::span<const T> qkv, const AttentionSizes& sizes, size_t image, size_t head,
                                       size_t i, T& logsumexp) {
  std::vector<T> p(sizes.tokens, T(0));
  logsumexp = T(0);
  if (!sizes.visible(image, i)) return p;
  std::vector<T> score(sizes.tokens, T(0));
  T largest = -1e300;
  for (size_t j = 0; j < sizes.tokens; ++j) {
    if (!sizes.visible(image, j)) continue;
    for (size_t d = 0; d < sizes.head_dim; ++d) {
      score[j] += qkv[sizes.row(image, i, 0, head) + d] * qkv[sizes.row(image, j, 1, head) + d] * sizes.scale;
    }
    if (std::real(score[j]) > std::real(largest)) largest = score[j];
  }
  T sum = 0;
  for (size_t j = 0; j < sizes.tokens; ++j) {
    if (sizes.visible(image, j)) p[j] = std::exp(score[j] - largest);
    sum += p[j];
  }
  for (T& value : p) value /= sum;
  logsumexp = largest + std::log(sum);
  return p;
}

/// out = (F softmax(scale q kᵀ)) v over the visible keys, F dropout's factors, elementwise; 0 for a masked query,
/// logsumexp too.
template <class T>
void attention_forward(std::span<const T> qkv, const AttentionSizes& sizes, std::span<T> out, std::span<T> logsumexp) {
  for (size_t image = 0; image < sizes.batch; ++image) {
    for (size_t head = 0; head < sizes.heads; ++head) {
      for (size_t i = 0; i < sizes.tokens; ++i) {
        T& lse = logsumexp[(image * sizes.heads + head) * sizes.tokens + i];
        const std::vector<T> p = attention_probabilities(qkv, sizes, image, head, i, lse);
        for (size_t d = 0; d < sizes.head_dim; ++d) {
          T sum = 0;
          for (size_t j = 0; j < sizes.tokens; ++j) {
            sum += p[j] * sizes.factor(image, head, i, j) * qkv[sizes.row(image, j, 2, head) + d];
          }
          out[sizes.out_row(image, i, head) + d] = sum;
        }
      }
    }
  }
}

/// With P the probabilities and dP = F (dout vᵀ): dv = (F P)ᵀ dout, dS = P (dP - rowsum(P dP)), dq = scale dS k,
/// dk = scale dSᵀ q.
template <class T>
void attention_backward(std::span<const T> dout, std::span<const T> qkv, const AttentionSizes& sizes,
                        std::span<T> dqkv) {
  for (T& value : dqkv) value = T(0);
  for (size_t image = 0; image < sizes.batch; ++image) {
    for (size_t head = 0; head < sizes.heads; ++head) {
      for (size_t i = 0; i < sizes.tokens; ++i) {
        T unused;
        const std::vector<T> p = attention_probabilities(qkv, sizes, image, head, i, unused);
        const size_t query = sizes.row(image, i, 0, head), upstream = sizes.out_row(image, i, head);
        std::vector<T> dp(sizes.tokens, T(0));
        T mean = 0;
        for (size_t j = 0; j < sizes.tokens; ++j) {
          const size_t value = sizes.row(image, j, 2, head);
          for (size_t d = 0; d < sizes.head_dim; ++d) dp[j] += dout[upstream + d] * qkv[value + d];
          dp[j] *= sizes.factor(image, head, i, j);
          mean += p[j] * dp[j];
        }
        for (size_t j = 0; j < sizes.tokens; ++j) {
          const T ds = p[j] * (dp[j] - mean) * sizes.scale;
          const size_t key = sizes.row(image, j, 1, head), value = sizes.row(image, j, 2, head);
          for (size_t d = 0; d < sizes.head_dim; ++d) {
            dqkv[query + d] += ds * qkv[key + d];
            dqkv[key + d] += ds * qkv[query + d];
            dqkv[value + d] += p[j] * sizes.factor(image, head, i, j) * dout[upstream + d];
          }
        }
      }
    }
  }
}

}  // namespace vitcl::reference
