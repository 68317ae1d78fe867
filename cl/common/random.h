// Counter-based random numbers; the same words as include/vitcl/tensor/random.hpp draws on the host. No kernels here.
#ifndef VITCL_COMMON_RANDOM_H
#define VITCL_COMMON_RANDOM_H

// The ten rounds of Philox4x32-10 (Salmon et al., SC 2011) on the counter's words a, b, c and d of a block, or of as
// many blocks as uintN has lanes; the words of the key are of type uint or uintN. mul_high(x, y) is the upper half of
// the product, as mul_hi.
#define VITCL_PHILOX_ROUNDS(uintN, mul_high, a, b, c, d, key_low, key_high)                             \
  do {                                                                                                  \
    uintN key0 = (uintN)(key_low), key1 = (uintN)(key_high);                                            \
    for (int round = 0; round < 10; ++round) {                                                          \
      const uintN high0 = mul_high((uintN)(0xD2511F53u), a), high1 = mul_high((uintN)(0xCD9E8D57u), c); \
      const uintN low0 = 0xD2511F53u * a, low1 = 0xCD9E8D57u * c;                                       \
      a = high1 ^ b ^ key0;                                                                             \
      b = low1;                                                                                         \
      c = high0 ^ d ^ key1;                                                                             \
      d = low0;                                                                                         \
      key0 += 0x9E3779B9u;                                                                              \
      key1 += 0xBB67AE85u;                                                                              \
    }                                                                                                   \
  } while (false)

// One block: four random words, a pure function of counter and key.
static inline uint4 vitcl_philox4x32(uint4 counter, uint2 key) {
  uint a = counter.x, b = counter.y, c = counter.z, d = counter.w;
  VITCL_PHILOX_ROUNDS(uint, mul_hi, a, b, c, d, key.x, key.y);
  return (uint4)(a, b, c, d);
}

// The key that a 64-bit seed stands for: low word first.
static inline uint2 vitcl_philox_key(ulong seed) { return (uint2)((uint)seed, (uint)(seed >> 32)); }

// A random word as a number in [0, 1): a multiple of 2^-24, exact.
static inline float vitcl_uniform(uint word) { return (float)(word >> 8) * 0x1p-24f; }

#endif
