#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

namespace vitcl::test {

/// The gradient of f: R^n -> R at x by the complex step, Im f(x + ih) / h (Squire, Trapp 1998): nothing is subtracted,
/// so that it is right to the last digits of double. f takes a span of std::complex<double>, returns one, and uses
/// analytic functions only: no abs, no conj; a max must compare real parts.
template <class F>
std::vector<double> complex_step_gradient(F f, std::span<const double> x) {
  constexpr double step = 1e-30;
  std::vector<std::complex<double>> point(x.begin(), x.end());
  std::vector<double> gradient(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    point[i] = {x[i], step};
    gradient[i] = f(std::span<const std::complex<double>>(point)).imag() / step;
    point[i] = x[i];
  }
  return gradient;
}

/// df/dx of a function of one variable by five-point central differences; the error is O(step^4) + eps / step.
template <class T, class F>
T difference(F f, T x, T step = T(1e-3)) {
  return (f(x - 2 * step) - f(x + 2 * step) + 8 * (f(x + step) - f(x - step))) / (12 * step);
}

}  // namespace vitcl::test
