#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "selftest/reference/adam.hpp"

// The formulas of PyTorch's AdamW, Adam, SGD and clip_grad_norm_, with a row (rate factor, decay) for each 16 elements.
namespace vitcl::reference {

struct Descent {
  double gradient_scale;
  std::span<const double> factors;
  bool decoupled;
};

inline void adam_with_decay(std::span<const double> gradients, const Descent& descent, const AdamStep& step,
                            std::span<double> parameters, std::span<double> m, std::span<double> v) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    const double factor = descent.factors[i / 16 * 2], decay = descent.factors[i / 16 * 2 + 1];
    if (factor == 0) continue;
    AdamStep own = step;
    own.learning_rate *= factor;
    const double l2 = descent.decoupled ? 0 : decay * parameters[i];
    const double gradient = descent.gradient_scale * gradients[i] + l2;
    if (descent.decoupled) parameters[i] *= 1 - own.learning_rate * decay;
    adam<double>({&gradient, 1}, own, parameters.subspan(i, 1), m.subspan(i, 1), v.subspan(i, 1));
  }
}

struct SgdStep {
  double learning_rate, momentum;
  bool nesterov;
};

inline void sgd(std::span<const double> gradients, const Descent& descent, const SgdStep& step,
                std::span<double> parameters, std::span<double> velocity) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    const double factor = descent.factors[i / 16 * 2], decay = descent.factors[i / 16 * 2 + 1];
    if (factor == 0) continue;
    const double gradient = descent.gradient_scale * gradients[i] + decay * parameters[i];
    velocity[i] = step.momentum * velocity[i] + gradient;
    const double direction = step.nesterov ? gradient + step.momentum * velocity[i] : velocity[i];
    parameters[i] -= step.learning_rate * factor * direction;
  }
}

inline double clip_scale(std::span<const double> gradients, std::span<const double> factors, double max_norm) {
  double sum = 0;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (factors[i / 16 * 2] != 0) sum += gradients[i] * gradients[i];
  }
  return std::min(1.0, max_norm / (std::sqrt(sum) + 1e-6));
}

}  // namespace vitcl::reference
