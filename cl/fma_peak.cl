// The arithmetic limit of a device: independent chains of fused multiply-adds that never leave the registers. Every
// work-item writes one sum, so that no compiler may leave the work out.
//
// Macros:
//   CHAINS  float16 values in flight in a work-item; two multiply-add units of latency four want eight registers
#ifndef CHAINS
#error "CHAINS must be defined"
#endif

#include "common/types.h"

// Lets LLVM use 512-bit registers, which it avoids by default on some processors.
#if defined(__has_attribute)
#if __has_attribute(min_vector_width)
#define WIDE_REGISTERS __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE_REGISTERS
#define WIDE_REGISTERS
#endif

// 2 * 16 * CHAINS * rounds operations a work-item. |factor| < 1 keeps the values finite and normal.
__kernel WIDE_REGISTERS void fma_peak(float factor, float term, int rounds, __global float* sums) {
  const float16 factors = (float16)(factor), terms = (float16)(term);
  float16 chain[CHAINS];
#pragma unroll
  for (int c = 0; c < CHAINS; ++c) chain[c] = (float16)(term + (float)c);
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int c = 0; c < CHAINS; ++c) chain[c] = vitcl_fma(chain[c], factors, terms);
  }
  float16 total = chain[0];
#pragma unroll
  for (int c = 1; c < CHAINS; ++c) total += chain[c];
  sums[get_global_id(0)] = vitcl_sum16(total);
}
