#pragma once

#include <vector>

#include "selftest/op_check.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::selftest {

/// The functions of cl/common/activation.h and cl/common/lanes.h at x. Of two widths, the scalar code's values come
/// first, then the vector code's.
struct ActivationProbe {
  std::vector<float> x;                         ///< a multiple of 16 points
  std::vector<float> exps, gelus, derivatives;  ///< both widths
  std::vector<float> logs;                      ///< of |x|: the natural logarithm, then that to base 2
  std::vector<float> powers;                    ///< 2^x, vectors alone
};

/// Computes them on the device; x is filled up with ones.
ActivationProbe probe_activations(Device& device, std::vector<float> x);

/// Holds them to double at `points` points over their whole ranges; the limits are those that the headers state.
/// `worst_ulp` is raised to the largest error in units in the last place.
Problems check_activations(Device& device, size_t points, double& worst_ulp);

}  // namespace vitcl::selftest
