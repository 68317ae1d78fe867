#pragma once

#include <cstddef>
#include <vector>

#include "vitcl/train/config.hpp"

namespace vitcl::train {

/// The learning rate of a step, `time` epochs after the run's begin (timm's schedules, taken by the step):
///   before warmup_epochs: from warmup_lr on a straight line towards lr
///   constant: lr
///   cosine:   min_lr + (lr - min_lr) (1 + cos(pi time / epochs)) / 2
///   step:     lr decay_rate^floor(time / decay_epochs)
///   plateau:  max(min_lr, lr decay_rate^reductions)
double learning_rate(const TrainConfig& config, double time, size_t reductions = 0);

/// Those of all steps of an epoch, which is counted from 0.
std::vector<double> learning_rates(const TrainConfig& config, size_t epoch, size_t steps, size_t reductions = 0);

}  // namespace vitcl::train
