// Counter-based random numbers; the same words as include/vitcl/tensor/random.hpp draws on the host. No kernels here.
#ifndef VITCL_COMMON_RANDOM_H
#define VITCL_COMMON_RANDOM_H

// One block of Philox4x32-10 (Salmon et al., SC 2011): four random words, a pure function of counter and key.
static inline uint4 vitcl_philox4x32(uint4 counter, uint2 key) {
  for (int round = 0; round < 10; ++round) {
    const uint high0 = mul_hi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
    const uint high1 = mul_hi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
    counter = (uint4)(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
  }
  return counter;
}

// The key that a 64-bit seed stands for: low word first.
static inline uint2 vitcl_philox_key(ulong seed) { return (uint2)((uint)seed, (uint)(seed >> 32)); }

// A random word as a number in [0, 1): a multiple of 2^-24, exact.
static inline float vitcl_uniform(uint word) { return (float)(word >> 8) * 0x1p-24f; }

#endif
