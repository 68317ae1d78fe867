#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ops/gemm.hpp"

namespace vitcl::bench {

/// A matrix product that training needs; bench/compare.py times the same ones on PyTorch.
struct GemmProduct {
  std::string name;  ///< "nt/1700x64x192": the form, and rows x in x out of the linear layer
  ops::GemmShape shape;

  double flops() const;
  double bytes() const;
  /// Its operands on the device, filled; each call of what is returned enqueues the product once.
  std::function<void()> prepare(Device& device) const;
};

/// All three forms of the linear layers of the article's model at batch 100 (1700 rows) and of ViT-Small at batch 8
/// (1576 rows), and of squares of 1024.
std::vector<GemmProduct> gemm_products();

}  // namespace vitcl::bench
