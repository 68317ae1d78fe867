#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <numeric>
#include <span>

namespace vitcl::reference {

// T is double or std::complex<double>. Logits are moderate: nothing guards the exponentials here.

/// The probabilities of each row of `classes` logits.
template <class T>
void softmax(std::span<const T> logits, size_t classes, std::span<T> probabilities) {
  for (size_t row = 0; row < logits.size(); row += classes) {
    T sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += std::exp(logits[row + c]);
    for (size_t c = 0; c < classes; ++c) probabilities[row + c] = std::exp(logits[row + c]) / sum;
  }
}

/// What class c of a sample should have: (1 - smoothing) [c = label] + smoothing / classes.
inline double target(size_t c, double label, double smoothing, size_t classes) {
  return (static_cast<double>(c) == label ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
}

/// loss = - sum over the classes of target times log(probability).
template <class T>
void cross_entropy(std::span<const T> logits, std::span<const double> labels, double smoothing, std::span<T> loss) {
  const size_t classes = logits.size() / labels.size();
  for (size_t b = 0; b < labels.size(); ++b) {
    T sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += std::exp(logits[b * classes + c]);
    loss[b] = 0;
    for (size_t c = 0; c < classes; ++c) {
      loss[b] -= target(c, labels[b], smoothing, classes) * (logits[b * classes + c] - std::log(sum));
    }
  }
}

/// The gradient of the losses' mean: (probability - target) / batch.
template <class T>
void cross_entropy_gradient(std::span<const T> logits, std::span<const double> labels, double smoothing,
                            std::span<T> dlogits) {
  const size_t classes = logits.size() / labels.size();
  softmax<T>(logits, classes, dlogits);
  for (size_t i = 0; i < dlogits.size(); ++i) {
    dlogits[i] -= target(i % classes, labels[i / classes], smoothing, classes);
    dlogits[i] /= static_cast<double>(labels.size());
  }
}

/// The same for any targets: loss = - sum over the classes of target times log(probability).
template <class T>
void soft_cross_entropy(std::span<const T> logits, std::span<const double> targets, std::span<T> loss) {
  const size_t classes = logits.size() / loss.size();
  for (size_t b = 0; b < loss.size(); ++b) {
    T sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += std::exp(logits[b * classes + c]);
    loss[b] = 0;
    for (size_t c = 0; c < classes; ++c) {
      loss[b] -= targets[b * classes + c] * (logits[b * classes + c] - std::log(sum));
    }
  }
}

/// The gradient of the losses' mean: (probability times the targets' sum - target) / batch.
template <class T>
void soft_cross_entropy_gradient(std::span<const T> logits, std::span<const double> targets, size_t batch,
                                 std::span<T> dlogits) {
  const size_t classes = logits.size() / batch;
  softmax<T>(logits, classes, dlogits);
  for (size_t i = 0; i < dlogits.size(); ++i) {
    const auto row = targets.subspan(i / classes * classes, classes);
    dlogits[i] = (dlogits[i] * std::accumulate(row.begin(), row.end(), 0.0) - targets[i]) / static_cast<double>(batch);
  }
}

/// 1 where the first of the largest logits is the label's.
inline void count_correct(std::span<const double> logits, std::span<const double> labels, std::span<double> correct) {
  const size_t classes = logits.size() / labels.size();
  for (size_t b = 0; b < labels.size(); ++b) {
    size_t best = 0;
    for (size_t c = 1; c < classes; ++c) {
      if (logits[b * classes + c] > logits[b * classes + best]) best = c;
    }
    correct[b] = static_cast<double>(best) == labels[b] ? 1 : 0;
  }
}

}  // namespace vitcl::reference
