#pragma once

#include "vitcl/ops/adam.hpp"

namespace vitcl::ops {

/// How many elements share a row of an update's factors.
inline constexpr size_t factor_run = 16;

/// What an optimiser's step works on.
struct Update {
  Tensor gradients;       ///< (n)
  Tensor gradient_scale;  ///< (1), by which gradients are multiplied first: see clip_scale()
  /// (n / 16, 2), a row for each 16 elements, rounded up: the learning rate's factor, 0 where nothing is to change, not
  /// even the moments; and the weight decay.
  Tensor factors;
  Tensor table, cursor;  ///< as in adam()
  Tensor parameters;     ///< (n)
};

/// l2: decay * parameter is added to the gradient. decoupled: the parameter shrinks by lr * decay of itself beside the
/// update (Loshchilov, Hutter 2019).
enum class WeightDecay { l2, decoupled };

/// adam() with factors and a gradient scale. m, v: (n)
void adam_with_decay(Queue& queue, const Update& update, const AdamOptions& options, WeightDecay decay, const Tensor& m,
                     const Tensor& v);

struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = true;
};

/// One step of gradient descent with momentum, as PyTorch computes it, with L2 decay:
///   u = momentum u + g;  p -= lr (g + momentum u) with Nesterov's momentum, lr u without
/// velocity: (n), u
void sgd(Queue& queue, const Update& update, const SgdOptions& options, const Tensor& velocity);

/// The floats that clip_scale() needs as scratch.
size_t clip_workspace(size_t elements);
/// update.gradient_scale = min(1, max_norm / (|g|_2 + 1e-6)), with the norm of all gradients that aren't frozen
/// together, as PyTorch's clip_grad_norm_. Summed in a fixed order. A norm that is not a number gives 1.
void clip_scale(Queue& queue, const Update& update, double max_norm, const Tensor& workspace);

/// average = decay average + (1 - decay) values; both (n).
void moving_average(Queue& queue, const Tensor& values, double decay, const Tensor& average);

}  // namespace vitcl::ops
