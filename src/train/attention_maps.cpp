#include "vitcl/train/attention_maps.hpp"

#include <algorithm>
#include <cmath>

namespace vitcl::train {
namespace {

using Matrix = std::vector<double>;  // (tokens, tokens)

/// q . k of one head; query and key are counted from 0, the head's columns begin at `column`.
double product(std::span<const float> qkv, size_t dim, size_t query, size_t key, size_t column, size_t width) {
  const float* q = qkv.data() + query * 3 * dim + column;
  const float* k = qkv.data() + key * 3 * dim + dim + column;
  double sum = 0;
  for (size_t i = 0; i < width; ++i) sum += static_cast<double>(q[i]) * static_cast<double>(k[i]);
  return sum;
}

void softmax(std::vector<double>& scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
}

/// The mean over a block's heads plus the identity, each row scaled to sum to 1.
Matrix with_residual(const AttentionMaps& maps, size_t block) {
  const size_t tokens = maps.tokens, size = tokens * tokens;
  Matrix result(size);
  for (size_t head = 0; head < maps.heads; ++head) {
    const float* weights = maps.weights.data() + (block * maps.heads + head) * size;
    for (size_t i = 0; i < size; ++i) result[i] += static_cast<double>(weights[i]) / static_cast<double>(maps.heads);
  }
  for (size_t row = 0; row < tokens; ++row) {
    result[row * tokens + row] += 1;
    double sum = 0;
    for (size_t i = 0; i < tokens; ++i) sum += result[row * tokens + i];
    for (size_t i = 0; i < tokens; ++i) result[row * tokens + i] /= sum;
  }
  return result;
}

Matrix product(const Matrix& a, const Matrix& b, size_t tokens) {
  Matrix result(tokens * tokens);
  for (size_t row = 0; row < tokens; ++row)
    for (size_t k = 0; k < tokens; ++k)
      for (size_t column = 0; column < tokens; ++column)
        result[row * tokens + column] += a[row * tokens + k] * b[k * tokens + column];
  return result;
}

/// What the model's output draws on: the class token's row, or the mean of the patches' rows.
template <class Value>
std::vector<float> output_row(std::span<const Value> matrix, const AttentionMaps& maps) {
  const size_t first = maps.cls_pool ? 0 : maps.leading, end = maps.cls_pool ? 1 : maps.tokens;
  std::vector<float> result(maps.patches());
  for (size_t patch = 0; patch < result.size(); ++patch) {
    double sum = 0;
    for (size_t row = first; row < end; ++row)
      sum += static_cast<double>(matrix[row * maps.tokens + maps.leading + patch]);
    result[patch] = static_cast<float>(sum / static_cast<double>(end - first));
  }
  return result;
}

}  // namespace

std::vector<float> attention_weights(std::span<const float> qkv, size_t tokens, size_t heads, float scale,
                                     std::span<const uint8_t> mask) {
  const size_t dim = qkv.size() / tokens / 3, width = dim / heads;
  std::vector<float> weights(heads * tokens * tokens);
  std::vector<double> scores(tokens);
  for (size_t head = 0; head < heads; ++head) {
    for (size_t query = 0; query < tokens; ++query) {
      if (!mask.empty() && mask[query] == 0) continue;
      for (size_t key = 0; key < tokens; ++key) {
        const bool hidden = !mask.empty() && mask[key] == 0;
        scores[key] = hidden ? -HUGE_VAL : double{scale} * product(qkv, dim, query, key, head * width, width);
      }
      softmax(scores);
      for (size_t key = 0; key < tokens; ++key)
        weights[(head * tokens + query) * tokens + key] = static_cast<float>(scores[key]);
    }
  }
  return weights;
}

std::vector<float> head_map(const AttentionMaps& maps, size_t block, size_t head) {
  const size_t size = maps.tokens * maps.tokens;
  return output_row(std::span(maps.weights).subspan((block * maps.heads + head) * size, size), maps);
}

std::vector<float> attention_rollout(const AttentionMaps& maps) {
  Matrix flow = with_residual(maps, 0);
  for (size_t block = 1; block < maps.depth; ++block) flow = product(with_residual(maps, block), flow, maps.tokens);
  return output_row(std::span<const double>(flow), maps);
}

}  // namespace vitcl::train
