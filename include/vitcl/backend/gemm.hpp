#pragma once

#include <cstddef>

#include "vitcl/backend/queue.hpp"

namespace vitcl {

/// c = alpha op(a) op(b) + beta c through CLBlast; row-major; op transposes where asked. c: (m, n), inner size k.
/// Leading dimensions are in floats. Recordable. Throws ClError with CLBlast's status. One lock guards CLBlast's cache.
struct ClblastGemm {
  size_t m, n, k;
  bool transpose_a, transpose_b;
  float alpha = 1, beta = 0;
  size_t lda, ldb, ldc;
};
void clblast_gemm(Queue& queue, const ClblastGemm& problem, const Buffer& a, const Buffer& b, const Buffer& c);

}  // namespace vitcl
