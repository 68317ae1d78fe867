// Elementwise kernels in two shapes from one source. No kernels here.
//
// WIDTH: floats a work-item takes at once. 16: it works through `chunk` consecutive elements, a multiple of 16 (CPU
// devices). 1: it takes one element (the others), of STORAGE_BITS where the kernel says `stored` (common/storage.h).
#ifndef VITCL_COMMON_FLAT_H
#define VITCL_COMMON_FLAT_H

#include "common/storage.h"
#include "common/types.h"

// VITCL_FOR_EACH(i, n, chunk): i runs over the work-item's share of 0 .. n - 1, along dimension 0.
#if WIDTH == 16
typedef float16 floatW;
#define VITCL_FOR_EACH(i, n, chunk) \
  for (ulong i = get_global_id(0) * (chunk), i##_end = min((ulong)(n), i + (ulong)(chunk)); i < i##_end; i += 16)
#elif WIDTH == 1
typedef float floatW;
#define VITCL_FOR_EACH(i, n, chunk) for (ulong i = get_global_id(0); i < (n); i += get_global_size(0))
#else
#error "common/flat.h: WIDTH must be 1 or 16"
#endif

// source[i ..] for as many lanes as lie before n; 0 in the others.
static inline floatW vitcl_load_flat(const __global float* source, ulong i, ulong n) {
#if WIDTH == 16
  return i + 16 <= n ? vload16(0, source + i) : vitcl_load_partial(source + i, (int)(n - i), 0.0f);
#else
  return source[i];
#endif
}

// target[i ..] = value for as many lanes as lie before n.
static inline void vitcl_store_flat(floatW value, __global float* target, ulong i, ulong n) {
#if WIDTH == 16
  if (i + 16 <= n) {
    vstore16(value, 0, target + i);
  } else {
    vitcl_store_partial(value, target + i, (int)(n - i));
  }
#else
  target[i] = value;
#endif
}

// The same for a gradient: added to what is there, or in its place.
static inline void vitcl_store_gradient(floatW value, __global float* target, ulong i, ulong n, int accumulate) {
  vitcl_store_flat(accumulate ? vitcl_load_flat(target, i, n) + value : value, target, i, n);
}

// The same three for activations.
#if STORAGE_BITS == 32
#define vitcl_load_stored vitcl_load_flat
#define vitcl_store_stored vitcl_store_flat
#elif WIDTH == 1
#define vitcl_load_stored(source, i, n) vitcl_load((source), (i))
#define vitcl_store_stored(value, target, i, n) vitcl_store((value), (target), (i))
#else
#error "common/flat.h: STORAGE_BITS 16 goes with WIDTH 1"
#endif
static inline void vitcl_store_stored_gradient(floatW value, __global stored* target, ulong i, ulong n,
                                               int accumulate) {
  vitcl_store_stored(accumulate ? vitcl_load_stored(target, i, n) + value : value, target, i, n);
}

#endif
