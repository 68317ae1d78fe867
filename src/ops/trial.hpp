#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "vitcl/backend/choices.hpp"
#include "vitcl/tensor/tensor.hpp"

// Ops on tensors of their own, for the tuner. A shape's text gives the sizes on which an op's choice depends:
//   gemm           FORM_MxNxK, FORM one of nt, nn, tn (gemm.hpp)
//   encoder_block  BxTxHxDIMxMLP_DIM: images, tokens, heads
//   convolution    BxSxPxCxOxWxD: images, side, padded side, channels, channels out, window, stride
//   attention      BxTxHxD: images, tokens, heads, head size
//   layer_norm     ROWSxDIM         bias  ROWSxDIM, of dy
//   gelu, add      the elements
// Other ops choose too, but take too little of a step to be tried.
namespace vitcl::ops {

/// One op at one shape, forward and backward where it has both.
struct Trial {
  std::function<void()> run;    ///< enqueues its launches
  std::vector<Tensor> results;  ///< f32; what run() writes, in full
};

/// The implementation of an op to which others are held: that which serves every shape and device, where there is one.
/// Empty for an op that is not tried.
std::string_view plain_implementation(std::string_view op);

/// Makes an op's tensors, with random numbers in its inputs, and NaN in its results. Throws UsageError where `key` is
/// not of the form above.
Trial make_trial(Queue& queue, const OpShape& key);

}  // namespace vitcl::ops
