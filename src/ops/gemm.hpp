#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

// The matrix product in the three forms that training needs, over several implementations. Which one runs is decided by
// the device's capabilities and the shape, never by timing; VITCL_IMPL=gemm:NAME forces one.
namespace vitcl::ops {

/// c (m, n) = op(a) (m, k) op(b) (k, n), all row-major; "t" marks an operand stored transposed.
enum class GemmForm {
  nt,  ///< a (m, k), b (n, k): y = x wᵀ
  nn,  ///< a (m, k), b (k, n): dx = dy w
  tn,  ///< a (k, m), b (k, n): dw = dyᵀ x
};

struct GemmShape {
  GemmForm form;
  size_t m, n, k;
};

/// An implementation and why it can't serve, if so.
struct GemmCandidate {
  std::string name;
  std::optional<std::string> refusal;
};

/// The implementations in order of preference on a device; the first without a refusal runs. Each takes every shape.
std::vector<GemmCandidate> gemm_candidates(const DeviceCaps& caps);

/// Bytes of scratch that gemm() needs at most, whichever implementation runs.
size_t gemm_workspace_bytes(const DeviceCaps& caps, const GemmShape& shape);

/// c = op(a) op(b) + bias; `bias` (n) may be null and is for GradMode::overwrite only. Sums are taken in an order that
/// depends on the shape and the implementation alone.
void gemm(Queue& queue, const GemmShape& shape, const Buffer& a, const Buffer& b, const Buffer* bias, GradMode mode,
          const Buffer& c, const Buffer& workspace);

}  // namespace vitcl::ops
