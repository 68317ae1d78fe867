#include "selftest/activation_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

namespace vitcl::selftest {
namespace {

constexpr double least_normal = std::numeric_limits<float>::min();

/// The distance of a float of this size to the next; that of `least` for smaller ones.
double ulp(double value, double least) { return std::ldexp(1.0, std::ilogb(std::max(std::abs(value), least)) - 23); }

double distribution(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }
double gelu(double x) { return x * distribution(x); }
double gelu_derivative(double x) {
  return distribution(x) + x * std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}
double natural_log(double x) { return std::log(std::abs(x)); }
double binary_log(double x) { return std::log2(std::abs(x)); }

/// A function's right values, where they are expected, and how far off the device may be.
struct Standard {
  std::string_view name;
  double (*right)(double);
  double limit;  ///< units in the last place
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  double least = least_normal;  ///< smaller values are held to this one's unit
};
// A device may flush subnormal results to 0. The lanes' logarithm is of sums of probabilities, 1 and more, whose
// logarithms are added to others: below 1/2 its absolute error counts. The lanes' power errs by more than 1 where
// multiplication and addition are not fused.
constexpr Standard exp_standard{"exp", std::exp, 1, -87.3, 88.7};
constexpr Standard gelu_standard{"gelu", gelu, 7, -12.5};
constexpr Standard derivative_standard{
    .name = "gelu's derivative", .right = gelu_derivative, .limit = 7, .least = 0.25};
constexpr Standard log_standard{"log", natural_log, 1};
constexpr Standard log2_standard{.name = "log2 of lanes", .right = binary_log, .limit = 3, .least = 0.5};
constexpr Standard exp2_standard{"exp2 of lanes", std::exp2, 1.5, -125.9, 126.9};

std::vector<float> sweep(size_t points) {
  std::vector<float> x;
  for (size_t i = 0; i < points / 4; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(points / 4 - 1);
    x.push_back(static_cast<float>(16 * (2 * t - 1)));       // the GELU's range
    x.push_back(static_cast<float>(-103 + 191.7 * t));       // the exponential's
    x.push_back(static_cast<float>(std::exp(60 * t - 50)));  // all sizes
    x.push_back(-x.back());
  }
  return x;
}

/// Holds got[i] to the standard at x[i % x.size()].
void hold(const Standard& standard, const std::vector<float>& x, std::span<const float> got, double& worst_ulp,
          Problems& problems) {
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double point = static_cast<double>(x[i % x.size()]);
    if (point < standard.low || point > standard.high) continue;
    const double want = standard.right(point);
    const double error = std::abs(static_cast<double>(got[i]) - want) / ulp(want, standard.least);
    if (!(error <= worst)) worst = error, at = i;
  }
  worst_ulp = std::max(worst_ulp, worst);
  if (worst <= standard.limit) return;
  const double point = static_cast<double>(x[at % x.size()]);
  problems.push_back(fmt::format("{}({:.9g}): got {:.9g}, want {:.9g}: {:.3g} units in the last place, limit {}",
                                 standard.name, point, got[at], standard.right(point), worst, standard.limit));
}

}  // namespace

ActivationProbe probe_activations(Device& device, std::vector<float> x) {
  constexpr size_t width = 16;
  x.resize((x.size() + width - 1) / width * width, 1.0F);
  const size_t n = x.size();
  Queue& queue = device.queue();
  const auto values = [&](size_t count) { return Tensor::empty(device, {count}); };
  const Tensor in = values(n), exps = values(2 * n), logs = values(2 * n), gelus = values(2 * n),
               derivatives = values(2 * n), powers = values(n);
  upload<float>(queue, x, in);
  const Kernel kernel =
      device.kernel("activation_probe", "activation_probe", KernelSpec().define("LANES", int64_t{width}));
  queue.launch(kernel, {{n / width}, {1}}, in, exps, logs, gelus, derivatives, powers, static_cast<int32_t>(n));
  return {x,
          download<float>(queue, exps),
          download<float>(queue, gelus),
          download<float>(queue, derivatives),
          download<float>(queue, logs),
          download<float>(queue, powers)};
}

Problems check_activations(Device& device, size_t points, double& worst_ulp) {
  const ActivationProbe probe = probe_activations(device, sweep(points));
  const std::span<const float> logs = probe.logs;
  const size_t n = probe.x.size();
  Problems problems;
  hold(exp_standard, probe.x, probe.exps, worst_ulp, problems);
  hold(gelu_standard, probe.x, probe.gelus, worst_ulp, problems);
  hold(derivative_standard, probe.x, probe.derivatives, worst_ulp, problems);
  hold(log_standard, probe.x, logs.first(n), worst_ulp, problems);
  hold(log2_standard, probe.x, logs.last(n), worst_ulp, problems);
  hold(exp2_standard, probe.x, probe.powers, worst_ulp, problems);
  return problems;
}

}  // namespace vitcl::selftest
