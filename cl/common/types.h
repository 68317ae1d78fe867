// Types and small helpers that every kernel shares. No kernels here.
#ifndef VITCL_COMMON_TYPES_H
#define VITCL_COMMON_TYPES_H

// a * b + c for float and float16, fused where the hardware does it in one instruction: FP_FAST_FMAF says so, and where
// a driver forgets it (PoCL 3.1) clang's __FMA__ does. Elsewhere fma() is emulated, slowly; mad() is left alone because
// OpenCL 1.2 promises nothing about its precision.
#if defined(FP_FAST_FMAF) || defined(__FMA__)
#define vitcl_fma(a, b, c) fma((a), (b), (c))
#else
#define vitcl_fma(a, b, c) ((a) * (b) + (c))
#endif

// The sum of the sixteen lanes, in one fixed tree. The halves are cut in an array, which compilers keep in registers:
// Oclgrind 21.10 takes what v.lo and v.hi select for uninitialised, and crashes on their optimised form.
static inline float vitcl_sum16(float16 v) {
  float lanes[16];
  vstore16(v, 0, lanes);
  vstore8(vload8(0, lanes) + vload8(1, lanes), 0, lanes);
  vstore4(vload4(0, lanes) + vload4(1, lanes), 0, lanes);
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

// The first `count` (0 to 16) floats at `source`; the other lanes hold `fill` and nothing behind is read.
static inline float16 vitcl_load_partial(const __global float* source, int count, float fill) {
  float lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = i < count ? source[i] : fill;
  return vload16(0, lanes);
}

// Writes the first `count` (0 to 16) lanes to `target` and nothing behind.
static inline void vitcl_store_partial(float16 value, __global float* target, int count) {
  float lanes[16];
  vstore16(value, 0, lanes);
  for (int i = 0; i < count; ++i) target[i] = lanes[i];
}

#endif
