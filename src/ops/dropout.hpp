#pragma once

#include <cmath>

#include "checks.hpp"
#include "vitcl/ops/dropout.hpp"

// Dropout as the kernels with cl/common/dropout.h take it.
namespace vitcl::ops {

struct DropoutArguments {
  uint32_t use, threshold;
  float kept;
};

/// Throws UsageError where the rate is no probability below 1.
inline DropoutArguments dropout_arguments(std::string_view op, const DropoutOptions& options) {
  const auto rate = static_cast<double>(options.rate);
  if (!(rate >= 0 && rate < 1)) throw UsageError(fmt::format("[{}] the rate is {}, want 0 <= rate < 1", op, rate));
  return {options.use, static_cast<uint32_t>(std::ceil(rate * 0x1p24)), static_cast<float>(1 / (1 - rate))};
}

inline void expect_draws(std::string_view op, const Tensor& draws, size_t batch) {
  expect_shape(op, "draws", draws, {batch, 4}, "to key each sample's random numbers", DType::i32);
}

}  // namespace vitcl::ops
