// exp, log and the GELU from elementary operations, for float and (suffix 16) float16. No kernels here.
//
// Drivers' exp, erf and log differ in accuracy and are wrong in places; these are the same everywhere. Largest errors,
// against double: exp and log 1 ulp; the GELU 7 ulp over its whole range, both tails included, but 0 below -13, where
// it is smaller than 1e-37; its derivative, which crosses 0, 7 ulp of the larger of itself and 1/4.
#ifndef VITCL_COMMON_ACTIVATION_H
#define VITCL_COMMON_ACTIVATION_H

#include "common/types.h"

// The functions are written once, as macros over the type F with the integers I of the same width.
#define VITCL_AS_int as_int
#define VITCL_AS_int16 as_int16
#define VITCL_AS_float as_float
#define VITCL_AS_float16 as_float16

// e^x = 2^n e^r with x = n ln 2 + r and |r| <= ln 2 / 2. Adding VITCL_ROUND rounds to the integer n, which then stands
// in the low bits. -ln 2 is split so that n times its high part is exact. e^r is a minimax polynomial,
// summed in pairs: on a CPU the chain of operations is what takes time.
#define VITCL_ROUND 12582912.0f  // 1.5 * 2^23
#define VITCL_LN2_HIGH -0.693359375f
#define VITCL_LN2_LOW 2.12194440e-4f

// vitcl_exp: 0 at -infinity, infinity above 88.73, NaN at NaN. The clamp leaves NaN alone and lets the scaling in two
// steps run into 0, the subnormals and infinity by itself.
#define VITCL_DEFINE_EXP(SUFFIX, F, I)                                                  \
  static inline F vitcl_exp_reduced##SUFFIX(F r) {                                      \
    const F r2 = r * r;                                                                 \
    const F p0 = vitcl_fma((F)(1.66665196e-1f), r, (F)(4.99999940e-1f));                \
    const F p2 = vitcl_fma((F)(8.36878084e-3f), r, (F)(4.16683927e-2f));                \
    const F p = vitcl_fma(vitcl_fma((F)(1.38144672e-3f), r2, p2), r2, p0);              \
    return vitcl_fma(p, r2, r) + 1.0f;                                                  \
  }                                                                                     \
  static inline F vitcl_exp##SUFFIX(F x) {                                              \
    x = x < -104.0f ? (F)(-104.0f) : x;                                                 \
    x = x > 89.0f ? (F)(89.0f) : x;                                                     \
    const F shifted = vitcl_fma(x, (F)(1.44269504f), (F)(VITCL_ROUND));                 \
    const F n = shifted - VITCL_ROUND;                                                  \
    const F r = vitcl_fma(n, (F)(VITCL_LN2_LOW), vitcl_fma(n, (F)(VITCL_LN2_HIGH), x)); \
    const F p = vitcl_exp_reduced##SUFFIX(r);                                           \
    const I exponent = VITCL_AS_##I(shifted) - as_int(VITCL_ROUND);                     \
    const I half_exponent = exponent >> 1;                                              \
    const F scale1 = VITCL_AS_##F((half_exponent + 127) << 23);                         \
    const F scale2 = VITCL_AS_##F((exponent - half_exponent + 127) << 23);              \
    return p * scale1 * scale2;                                                         \
  }

VITCL_DEFINE_EXP(, float, int)
VITCL_DEFINE_EXP(16, float16, int16)

// The upper tail of the normal distribution, Q(|x|) = 1 - Phi(|x|), and *factor = e^(-x^2 / 2); both are 0 beyond
// |x| = 13. The exponent is summed as -z^2/2 = -upper^2/2 + rest (z + rest/2) with z = upper - rest and an exact
// square, so that its error doesn't grow with x. Up to 13 the factor is normal: n is added to its exponent bits.
//
// Q is that factor times Mills' ratio, which decays slowly and is the polynomial in (z - 2.5) / (z + 2.5) below over
// z + 2.5 (minimax, relative error 2e-8). Nothing cancels: the lower tail of the GELU, x Phi(x) = x Q(-x), is as
// accurate as its middle.
#define VITCL_DEFINE_NORMAL_TAIL(SUFFIX, F, I)                                                 \
  static inline F vitcl_normal_tail##SUFFIX(F x, F* factor) {                                  \
    const F size = fabs(x);                                                                    \
    const F z = size > 13.0f ? (F)(13.0f) : size;                                              \
    const F upper = VITCL_AS_##F(VITCL_AS_##I(z) & (I)(0xFFFFF000));                           \
    const F rest = upper - z;                                                                  \
    const F y = -0.5f * upper * upper;                                                         \
    const F shifted = vitcl_fma(y, (F)(1.44269504f), (F)(VITCL_ROUND));                        \
    const F n = shifted - VITCL_ROUND;                                                         \
    F r = vitcl_fma(n, (F)(VITCL_LN2_LOW), vitcl_fma(n, (F)(VITCL_LN2_HIGH), y));              \
    r = vitcl_fma(rest, vitcl_fma((F)(0.5f), rest, z), r);                                     \
    const I bits = VITCL_AS_##I(vitcl_exp_reduced##SUFFIX(r)) + (VITCL_AS_##I(shifted) << 23); \
    *factor = size > 13.0f ? (F)(0.0f) : VITCL_AS_##F(bits);                                   \
    const F t = 1.0f / (z + 2.5f);                                                             \
    const F q = (z - 2.5f) * t;                                                                \
    const F q2 = q * q, q4 = q2 * q2;                                                          \
    const F p0 = vitcl_fma((F)(-4.336920123e-01f), q, (F)(7.066566599e-01f));                  \
    const F p2 = vitcl_fma((F)(9.235875743e-03f), q, (F)(1.319869788e-01f));                   \
    const F p4 = vitcl_fma((F)(-1.600830057e-03f), q, (F)(-1.638618546e-02f));                 \
    const F p6 = vitcl_fma((F)(6.844127206e-04f), q, (F)(2.523932663e-03f));                   \
    const F p8 = vitcl_fma((F)(-1.577023336e-04f), q, (F)(-3.116227978e-04f));                 \
    const F low = vitcl_fma(p2, q2, p0), high = vitcl_fma(p8, q4, vitcl_fma(p6, q2, p4));      \
    return *factor * (vitcl_fma(high, q4, low) * t);                                           \
  }

VITCL_DEFINE_NORMAL_TAIL(, float, int)
VITCL_DEFINE_NORMAL_TAIL(16, float16, int16)

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
  }                                                                      \
  static inline F NAME##_with_derivative(F x, F* derivative) {           \
    F factor;                                                            \
    const F q = TAIL(x, &factor);                                        \
    const F p = x < 0.0f ? q : 1.0f - q;                                 \
    *derivative = vitcl_fma(x, factor * 0.398942280f, p);                \
    return x * p;                                                        \
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
