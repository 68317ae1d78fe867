#include "selftest/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace vitcl::selftest {
namespace {

/// "[3, 0, 17]": where element `index` of a row-major tensor lies.
std::string position(const Shape& shape, size_t index) {
  std::vector<size_t> coordinates(shape.rank());
  for (size_t axis = shape.rank(); axis-- > 0;) {
    coordinates[axis] = index % shape[axis];
    index /= shape[axis];
  }
  return fmt::format("[{}]", fmt::join(coordinates, ", "));
}

/// How far outside its limit an element is: at most 1 when it agrees.
double excess(double got, double want, double limit) {
  if (got == want || (std::isnan(got) && std::isnan(want))) return 0;
  const double error = std::abs(got - want);
  if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
  if (error <= limit) return limit > 0 ? error / limit : 0;
  return limit > 0 ? error / limit : std::numeric_limits<double>::max();
}

}  // namespace

std::optional<std::string> compare(std::string_view name, const Shape& shape, std::span<const double> got,
                                   std::span<const double> want, const Tolerance& tolerance) {
  if (got.size() != want.size() || got.size() != shape.elements()) {
    return fmt::format("{}: {} values against {} expected, shape {}", name, got.size(), want.size(), shape.to_string());
  }
  size_t wrong = 0, worst = 0;
  double worst_excess = 1;
  for (size_t i = 0; i < got.size(); ++i) {
    const double ratio = excess(got[i], want[i], tolerance.absolute + tolerance.relative * std::abs(want[i]));
    if (ratio <= 1) continue;
    ++wrong;
    if (ratio > worst_excess) {
      worst_excess = ratio;
      worst = i;
    }
  }
  if (wrong == 0) return std::nullopt;
  return fmt::format("{}{}: {} of {} wrong; worst at {}: got {:.9g}, want {:.9g}, error {:.3g}, limit {:.3g}", name,
                     shape.to_string(), wrong, got.size(), position(shape, worst), got[worst], want[worst],
                     std::abs(got[worst] - want[worst]),
                     tolerance.absolute + tolerance.relative * std::abs(want[worst]));
}

double share_of_limit(std::span<const double> got, std::span<const double> want, const Tolerance& tolerance) {
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    worst = std::max(worst, excess(got[i], want[i], tolerance.absolute + tolerance.relative * std::abs(want[i])));
  }
  return worst;
}

}  // namespace vitcl::selftest
