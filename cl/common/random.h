// Counter-based random numbers; the same words as include/vitcl/tensor/random.hpp draws on the host. No kernels here.
#ifndef VITCL_COMMON_RANDOM_H
#define VITCL_COMMON_RANDOM_H

// One block of Philox4x32-10 (Salmon et al., SC 2011): four random words, a pure function of counter and key.
static inline uint4 vitcl_philox4x32(uint4 counter, uint2 key) {
  uint a = counter.x, b = counter.y, c = counter.z, d = counter.w, key0 = key.x, key1 = key.y;
  for (int round = 0; round < 10; ++round) {
    const ulong product0 = (ulong)0xD2511F53u * a, product1 = (ulong)0xCD9E8D57u * c;
    a = (uint)(product1 >> 32) ^ b ^ key0;
    b = (uint)product1;
    c = (uint)(product0 >> 32) ^ d ^ key1;
    d = (uint)product0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return (uint4)(a, b, c, d);
}

// The key that a 64-bit seed stands for: low word first.
static inline uint2 vitcl_philox_key(ulong seed) { return (uint2)((uint)seed, (uint)(seed >> 32)); }

// A random word as a number in [0, 1): a multiple of 2^-24, exact.
static inline float vitcl_uniform(uint word) { return (float)(word >> 8) * 0x1p-24f; }

#endif
