#pragma once

#include <cmath>
#include <cstddef>
#include <span>

namespace vitcl::reference {

struct AdamStep {
  double learning_rate, beta1, beta2, epsilon;
  double bias_correction1, bias_correction2_sqrt;
};

/// Kingma, Ba 2014, algorithm 1, with PyTorch's place for epsilon.
template <class T>
void adam(std::span<const T> gradients, const AdamStep& step, std::span<T> parameters, std::span<T> m, std::span<T> v) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    m[i] = step.beta1 * m[i] + (1 - step.beta1) * gradients[i];
    v[i] = step.beta2 * v[i] + (1 - step.beta2) * gradients[i] * gradients[i];
    const T denominator = std::sqrt(v[i]) / step.bias_correction2_sqrt + step.epsilon;
    parameters[i] -= step.learning_rate / step.bias_correction1 * m[i] / denominator;
  }
}

}  // namespace vitcl::reference
