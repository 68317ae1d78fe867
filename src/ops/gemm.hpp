#pragma once

#include <string>
#include <vector>

#include "vitcl/backend/choices.hpp"
#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

// The matrix product in the three forms that training needs, over several implementations, of which
// choose_implementation() takes one.
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

/// What each matrix is kept in: f32 or f16. Sums are taken in f32.
struct GemmTypes {
  DType a = DType::f32, b = DType::f32, c = DType::f32;
  /// f16 where one of them is.
  DType storage() const { return a == DType::f16 || b == DType::f16 || c == DType::f16 ? DType::f16 : DType::f32; }
};

/// The implementations in order of preference on a device. Each takes every shape; f16 the plain one alone.
///   tile_RxC    a work-item computes R x C elements of c at once, in registers (cl/gemm_register_tile.cl)
///   clblast     the library CLBlast
///   local_tile  the plain one: a work-group shares tiles of both factors in local memory (cl/gemm_local_tile.cl)
std::vector<Candidate> gemm_candidates(const DeviceCaps& caps, DType storage = DType::f32);

/// A shape as choices name it: "nt_1700x192x64", form and m x n x k.
std::string to_string(const GemmShape& shape);

/// Bytes of scratch that gemm() needs at most, whichever implementation runs.
size_t gemm_workspace_bytes(const DeviceCaps& caps, const GemmShape& shape);

/// c = op(a) op(b) + bias; `bias` (n) may be null and is for GradMode::overwrite only. Sums are taken in an order that
/// depends on the shape and the implementation alone.
void gemm(Queue& queue, const GemmShape& shape, const Buffer& a, const Buffer& b, const Buffer* bias, GradMode mode,
          const Buffer& c, const Buffer& workspace, const GemmTypes& types = {});

}  // namespace vitcl::ops
