#include "vitcl/train/learning_rate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vitcl::train {

double learning_rate(const TrainConfig& config, double time, size_t reductions) {
  const auto warmup = static_cast<double>(config.warmup_epochs);
  if (time < warmup) return config.warmup_lr + (config.lr - config.warmup_lr) * time / warmup;
  switch (config.sched) {
    case Sched::constant:
      break;
    case Sched::cosine: {
      const double angle = std::numbers::pi * time / static_cast<double>(config.epochs);
      return config.min_lr + (config.lr - config.min_lr) * (1 + std::cos(angle)) / 2;
    }
    case Sched::step:
      return config.lr * std::pow(config.decay_rate, std::floor(time / static_cast<double>(config.decay_epochs)));
    case Sched::plateau:
      return std::max(config.min_lr, config.lr * std::pow(config.decay_rate, static_cast<double>(reductions)));
  }
  return config.lr;
}

std::vector<double> learning_rates(const TrainConfig& config, size_t epoch, size_t steps, size_t reductions) {
  std::vector<double> rates(steps);
  for (size_t i = 0; i < steps; ++i) {
    const double time = static_cast<double>(epoch) + static_cast<double>(i) / static_cast<double>(steps);
    rates[i] = learning_rate(config, time, reductions);
  }
  return rates;
}

}  // namespace vitcl::train
