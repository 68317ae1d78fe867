// Vectors of LANES floats whose lanes are independent rows (queries, keys, heads of an image), for CPU devices: the way
// from rows in memory to vectors and back, and a power of two for softmax. No kernels here.
//
// LANES: 8 or 16, the floats in a vector.
#ifndef VITCL_COMMON_LANES_H
#define VITCL_COMMON_LANES_H

#include "common/types.h"

#if LANES == 16
typedef float16 floatL;
typedef int16 intL;
#define VITCL_AS_FLOATL as_float16
#define VITCL_AS_INTL as_int16
#define VITCL_CONVERT_FLOATL convert_float16
#elif LANES == 8
typedef float8 floatL;
typedef int8 intL;
#define VITCL_AS_FLOATL as_float8
#define VITCL_AS_INTL as_int8
#define VITCL_CONVERT_FLOATL convert_float8
#else
#error "common/lanes.h: LANES must be 8 or 16"
#endif

// One work-item a group and full vector registers: LLVM keeps to 256 bits where nothing asks for more.
#if defined(__has_attribute)
#if __has_attribute(min_vector_width)
#define VITCL_LANES_KERNEL \
  __kernel __attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((min_vector_width(32 * LANES)))
#endif
#endif
#ifndef VITCL_LANES_KERNEL
#define VITCL_LANES_KERNEL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#endif

// 2^x for x <= 127; exactly 0 from -127 down to -infinity, NaN at NaN. Largest error 1 ulp, 1.15 where vitcl_fma rounds
// twice: x = n + r with |r| <= 1/2, 2^r is a minimax polynomial. Adding 1.5 * 2^23 + 127 rounds to the integer n + 127
// in the low bits, which shifted left by 23 are the bits of 2^n, and of 0 for n = -127.
inline floatL exp2_lanes(floatL x) {
  const float round_to_biased = 12583039.0f;
  x = -127.0f > x ? (floatL)(-127.0f) : x;
  const floatL shifted = x + round_to_biased;
  const floatL r = x - (shifted - round_to_biased);
  floatL p = vitcl_fma((floatL)(1.535336192e-4f), r, (floatL)(1.339887442e-3f));
  p = vitcl_fma(p, r, (floatL)(9.618437358e-3f));
  p = vitcl_fma(p, r, (floatL)(5.550332471e-2f));
  p = vitcl_fma(p, r, (floatL)(2.402264791e-1f));
  p = vitcl_fma(p, r, (floatL)(6.931472029e-1f));
  p = vitcl_fma(p, r, (floatL)(1.0f));
  return p * VITCL_AS_FLOATL(VITCL_AS_INTL(shifted) << 23);
}

// log2(x) for positive normal x, as vitcl_log: x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), s = f / (2 + f).
inline floatL log2_lanes(floatL x) {
  const intL shifted = VITCL_AS_INTL(x) - 0x3F3504F3;  // sqrt(1/2)
  const floatL n = VITCL_CONVERT_FLOATL(shifted >> 23);
  const floatL f = VITCL_AS_FLOATL((shifted & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
  const floatL s = f / (2.0f + f), z = s * s, half_square = 0.5f * f * f;
  floatL p = vitcl_fma((floatL)(0.24279078841f), z, (floatL)(0.28498786688f));
  p = vitcl_fma(p, z, (floatL)(0.40000972152f));
  p = vitcl_fma(p, z, (floatL)(0.66666662693f)) * z;
  return vitcl_fma(f - (half_square - s * (half_square + p)), (floatL)(1.44269504f), n);
}

// Both 4 x 4 halves transposed: r[i].lo holds row i and r[i].hi row i + 4 of eight rows of four; afterwards r[c] is
// column c of the eight. Shuffles stay within 128 bits and every store is whole, which a later load wants.
inline void transpose_halves(float8* r) {
  const float8 a = (float8)(r[0].s0, r[1].s0, r[0].s1, r[1].s1, r[0].s4, r[1].s4, r[0].s5, r[1].s5);
  const float8 b = (float8)(r[0].s2, r[1].s2, r[0].s3, r[1].s3, r[0].s6, r[1].s6, r[0].s7, r[1].s7);
  const float8 c = (float8)(r[2].s0, r[3].s0, r[2].s1, r[3].s1, r[2].s4, r[3].s4, r[2].s5, r[3].s5);
  const float8 d = (float8)(r[2].s2, r[3].s2, r[2].s3, r[3].s3, r[2].s6, r[3].s6, r[2].s7, r[3].s7);
  r[0].s0145 = a.s0145, r[0].s2367 = c.s0145;
  r[1].s0145 = a.s2367, r[1].s2367 = c.s2367;
  r[2].s0145 = b.s0145, r[2].s2367 = d.s0145;
  r[3].s0145 = b.s2367, r[3].s2367 = d.s2367;
}

// Four columns of the eight rows that start at `row`.
inline void load_halves(float8* r, const __global float* source, const ulong* row) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    r[i].lo = vload4(0, source + row[i]);
    r[i].hi = vload4(0, source + row[i + 4]);
  }
  transpose_halves(r);
}

// columns[c], lane l = source[row[l] + c] for c < count.
inline void gather_rows(floatL* columns, const __global float* source, const ulong* row, int count) {
  int c = 0;
  for (; c + 4 <= count; c += 4) {
    float8 first[4];
    load_halves(first, source + c, row);
#if LANES == 16
    float8 second[4];
    load_halves(second, source + c, row + 8);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      columns[c + i].lo = first[i];
      columns[c + i].hi = second[i];
    }
#else
#pragma unroll
    for (int i = 0; i < 4; ++i) columns[c + i] = first[i];
#endif
  }
  for (; c < count; ++c) {
    float* to = (float*)(columns + c);
    for (int l = 0; l < LANES; ++l) to[l] = source[row[l] + c];
  }
}

inline void store_row(float4 value, __global float* to, int accumulate) {
  vstore4(accumulate ? vload4(0, to) + value : value, 0, to);
}

// target[row[l] + c] = columns[c], lane l, for c < count and l < rows; added to what is there where `accumulate` is
// set.
inline void scatter_rows(const floatL* columns, __global float* target, const ulong* row, int rows, int count,
                         int accumulate) {
  int c = 0;
  for (; c + 4 <= count; c += 4) {
    for (int h = 0; h < LANES / 8; ++h) {
      float8 r[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) r[i] = ((const float8*)(columns + c + i))[h];
      transpose_halves(r);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int l = 8 * h + i;
        if (l < rows) store_row(r[i].lo, target + row[l] + c, accumulate);
        if (l + 4 < rows) store_row(r[i].hi, target + row[l + 4] + c, accumulate);
      }
    }
  }
  for (; c < count; ++c) {
    const float* from = (const float*)(columns + c);
    for (int l = 0; l < rows; ++l) {
      __global float* to = target + row[l] + c;
      *to = accumulate ? *to + from[l] : from[l];
    }
  }
}

#endif
