#pragma once

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::ops {

// logits, dlogits, targets, probabilities: (batch, classes)   labels: (batch) i32, each in [0, classes)
// loss: (batch), one value a sample   correct: (batch) i32, 1 where the largest logit is the label's (the first on a
// tie)

/// Softmax cross-entropy with label smoothing (Szegedy et al. 2015; PyTorch's definition: the target is
/// (1 - smoothing) one_hot + smoothing / classes), in one pass: losses, hits, and dlogits, the gradient of their mean,
/// or of their sum over `mean_over` where that is not 0: their part in the mean of a larger batch. `dlogits` may be
/// null; it is multiplied by `loss_scale`, a power of two. A label out of range gives a NaN loss and touches no other
/// memory.
void cross_entropy(Queue& queue, const Tensor& logits, const Tensor& labels, float smoothing, const Tensor& loss,
                   const Tensor& correct, const Tensor* dlogits, size_t mean_over = 0, float loss_scale = 1);

/// The same with targets that are any numbers, 0 or more: loss = - sum over the classes of target times
/// log(probability), PyTorch's definition for targets that are probabilities. `labels` serves `correct` alone.
void soft_cross_entropy(Queue& queue, const Tensor& logits, const Tensor& targets, const Tensor& labels,
                        const Tensor& loss, const Tensor& correct, const Tensor* dlogits, size_t mean_over = 0,
                        float loss_scale = 1);

/// The probabilities of each row of logits.
void softmax(Queue& queue, const Tensor& logits, const Tensor& probabilities);

}  // namespace vitcl::ops
