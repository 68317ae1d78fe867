#pragma once

#include <cstdint>

namespace vitcl {

// IEEE 754 binary16, "half": 11 significant bits, up to 65504; normal down to 2^-14, in steps of 2^-24 below.

/// Exact.
float from_half(uint16_t half);
/// Rounded to nearest, ties to even; infinite from 65520 on.
uint16_t to_half(float value);

}  // namespace vitcl
