// exp, log and the GELU from elementary operations, for float and (suffix 16) float16. No kernels here.
//
// Drivers' exp, erf and log differ in accuracy and are wrong in places; these are the same everywhere. Largest errors,
// against double: exp and log 1 ulp; the GELU 5 ulp over its whole range, both tails included, up to where Phi(x) is
// subnormal (x < -12.5); its derivative, which crosses 0, 5 ulp of the larger of itself and 1/4.
#ifndef VITCL_COMMON_ACTIVATION_H
#define VITCL_COMMON_ACTIVATION_H

#include "common/types.h"

// The functions are written once, as macros over the type F with the integers I of the same width.
//
// e^(x + tail), |tail| small against 1: x + tail = n ln 2 + r with |r| <= ln 2 / 2 and e^r a minimax polynomial.
// Adding 1.5 * 2^23 rounds to an integer that stands in the low bits. The clamp leaves NaN alone and lets the two-step
// scaling run into 0, the subnormals and infinity by itself. ln 2 is split so that n times its upper part is exact.
#define VITCL_DEFINE_EXP_SUM(NAME, F, I)                                                       \
  static inline F NAME(F x, F tail) {                                                          \
    const float round_to_integer = 12582912.0f;                                                \
    x = x < -104.0f ? (F)(-104.0f) : x;                                                        \
    x = x > 89.0f ? (F)(89.0f) : x;                                                            \
    const F shifted = vitcl_fma(x, (F)(1.44269504f), (F)(round_to_integer));                   \
    const F n = shifted - round_to_integer;                                                    \
    const F r = vitcl_fma(n, (F)(2.12194440e-4f), vitcl_fma(n, (F)(-0.693359375f), x)) + tail; \
    F p = vitcl_fma((F)(1.38144672e-3f), r, (F)(8.36878084e-3f));                              \
    p = vitcl_fma(p, r, (F)(4.16683927e-2f));                                                  \
    p = vitcl_fma(p, r, (F)(1.66665196e-1f));                                                  \
    p = vitcl_fma(p, r, (F)(4.99999940e-1f));                                                  \
    p = vitcl_fma(p, r * r, r) + 1.0f;                                                         \
    const I exponent = VITCL_AS_##I(shifted) - 0x4B400000;                                     \
    const I half_exponent = exponent >> 1;                                                     \
    const F scale1 = VITCL_AS_##F((half_exponent + 127) << 23);                                \
    const F scale2 = VITCL_AS_##F((exponent - half_exponent + 127) << 23);                     \
    return p * scale1 * scale2;                                                                \
  }
#define VITCL_AS_int as_int
#define VITCL_AS_int16 as_int16
#define VITCL_AS_float as_float
#define VITCL_AS_float16 as_float16

VITCL_DEFINE_EXP_SUM(vitcl_exp_sum, float, int)
VITCL_DEFINE_EXP_SUM(vitcl_exp_sum16, float16, int16)

// e^x; 0 at -infinity, infinity above 88.73, NaN at NaN.
static inline float vitcl_exp(float x) { return vitcl_exp_sum(x, 0.0f); }
static inline float16 vitcl_exp16(float16 x) { return vitcl_exp_sum16(x, (float16)(0.0f)); }

// The normal distribution's density factor e^(-z^2 / 2), z = min(|x|, 15), where it has long been 0. z^2 is summed from
// an exact part and a small one, so that the error doesn't grow with z.
//
// The upper tail Q(z) = 1 - Phi(z) is that factor times Mills' ratio, which decays slowly and is the polynomial in
// (z - 2.5) / (z + 2.5) below over z + 2.5 (minimax, relative error 2e-8). Nothing cancels: the lower tail of the GELU,
// x Phi(x) = x Q(-x), is as accurate as its middle.
#define VITCL_DEFINE_NORMAL_TAIL(NAME, EXP_SUM, F, I)                            \
  static inline F NAME(F x, F* factor) {                                         \
    F z = fabs(x);                                                               \
    z = z > 15.0f ? (F)(15.0f) : z;                                              \
    const F upper = VITCL_AS_##F(VITCL_AS_##I(z) & (I)(0xFFFFF000));             \
    *factor = EXP_SUM(-0.5f * upper * upper, -0.5f * (z - upper) * (z + upper)); \
    const F t = 1.0f / (z + 2.5f);                                               \
    const F q = (z - 2.5f) * t;                                                  \
    F p = vitcl_fma((F)(-1.577023336e-04f), q, (F)(-3.116227978e-04f));          \
    p = vitcl_fma(p, q, (F)(6.844127206e-04f));                                  \
    p = vitcl_fma(p, q, (F)(2.523932663e-03f));                                  \
    p = vitcl_fma(p, q, (F)(-1.600830057e-03f));                                 \
    p = vitcl_fma(p, q, (F)(-1.638618546e-02f));                                 \
    p = vitcl_fma(p, q, (F)(9.235875743e-03f));                                  \
    p = vitcl_fma(p, q, (F)(1.319869788e-01f));                                  \
    p = vitcl_fma(p, q, (F)(-4.336920123e-01f));                                 \
    p = vitcl_fma(p, q, (F)(7.066566599e-01f));                                  \
    return *factor * (p * t);                                                    \
  }

VITCL_DEFINE_NORMAL_TAIL(vitcl_normal_tail, vitcl_exp_sum, float, int)
VITCL_DEFINE_NORMAL_TAIL(vitcl_normal_tail16, vitcl_exp_sum16, float16, int16)

// GELU: x Phi(x). Its derivative: Phi(x) + x phi(x), phi(x) = e^(-x^2 / 2) / sqrt(2 pi).
#define VITCL_DEFINE_GELU(NAME, TAIL, F)                                 \
  static inline F NAME(F x) {                                            \
    F factor;                                                            \
    const F q = TAIL(x, &factor);                                        \
    return x * (x < 0.0f ? q : 1.0f - q);                                \
  }                                                                      \
  static inline F NAME##_derivative(F x) {                               \
    F factor;                                                            \
    const F q = TAIL(x, &factor);                                        \
    return vitcl_fma(x, factor * 0.398942280f, x < 0.0f ? q : 1.0f - q); \
  }

VITCL_DEFINE_GELU(vitcl_gelu, vitcl_normal_tail, float)
VITCL_DEFINE_GELU(vitcl_gelu16, vitcl_normal_tail16, float16)

// log(x) for positive normal x: x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), s = f / (2 + f) and
// log(1 + f) = f - f^2/2 + s (f^2/2 + s^2 (...)), the form that FreeBSD's logf uses. NaN and infinity stay.
static inline float vitcl_log(float x) {
  if (!(x < INFINITY)) return x;
  const int shifted = as_int(x) - 0x3F3504F3;  // sqrt(1/2)
  const float n = (float)(shifted >> 23);
  const float f = as_float((shifted & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
  const float s = f / (2.0f + f), z = s * s, half_square = 0.5f * f * f;
  float p = vitcl_fma(0.24279078841f, z, 0.28498786688f);
  p = vitcl_fma(p, z, 0.40000972152f);
  p = vitcl_fma(p, z, 0.66666662693f) * z;
  return s * (half_square + p) + n * 9.0580006145e-6f - half_square + f + n * 0.69313812256f;
}

#endif
