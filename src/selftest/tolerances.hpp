#pragma once

#include <cmath>
#include <cstddef>

namespace vitcl::selftest {

/// An element agrees when |got - want| <= absolute + relative |want|.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// Half the distance from 1 to the next float: one correctly rounded operation errs by at most this, relatively.
inline constexpr double unit_roundoff = 0x1p-24;

/// The same bits: copies, integers, and sums that are exact.
inline Tolerance exact() { return {}; }

/// A few rounded operations without cancellation: `roundings` times the unit roundoff (Higham, Accuracy and Stability
/// of Numerical Algorithms, section 3.1). `magnitude` is the size of the terms where the result may cancel.
inline Tolerance rounded(double roundings, double magnitude = 0) {
  return {.relative = roundings * unit_roundoff, .absolute = roundings * unit_roundoff * magnitude};
}

/// A sum of `terms` products of random factors with deviations `a` and `b`, in any order, fused or not. The rounding
/// errors of a sum grow like lambda sqrt(n) u sum|a_i b_i|, with probability near 1 for lambda = 8 (Higham, Mary 2019,
/// theorem 3.1); for normal factors sum|a_i b_i| is about 0.64 n a b.
inline Tolerance sum_of_products(size_t terms, double a = 1, double b = 1) {
  const double n = static_cast<double>(terms);
  return {.relative = 4 * unit_roundoff, .absolute = 8 * unit_roundoff * std::sqrt(n) * n * a * b};
}

/// A sum of `terms` values of deviation `a`.
inline Tolerance sum_of(size_t terms, double a = 1) { return sum_of_products(terms, a, 1); }

}  // namespace vitcl::selftest
