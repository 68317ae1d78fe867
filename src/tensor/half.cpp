#include "vitcl/tensor/half.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace vitcl {

float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1FU;
  const uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 0x1FU ? 0xFFU : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

uint16_t to_half(float value) {
  constexpr uint32_t infinity = 0x7C00, quiet_nan = 0x7E00;
  constexpr int least_exponent = -14;
  const uint32_t sign = std::signbit(value) ? 0x8000 : 0;
  const float size = std::fabs(value);
  if (std::isnan(value)) return static_cast<uint16_t>(sign | quiet_nan);
  if (size >= 65520.0F) return static_cast<uint16_t>(sign | infinity);
  // Of normal numbers, 1024 units or more, the first bit is not stored: it is the exponent's last.
  const int exponent = size == 0 ? least_exponent : std::max(std::ilogb(size), least_exponent);
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  return static_cast<uint16_t>(sign | ((static_cast<uint32_t>(exponent - least_exponent) << 10) + units));
}

}  // namespace vitcl
