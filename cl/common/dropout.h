// What dropout multiplies by: 0, or `kept` = 1 / (1 - rate). It is never stored but drawn again wherever it is needed,
// keyed by a row of `draws` (the seed's two words, the sample's number, the epoch) and by what is dropped. No kernels
// here.
#ifndef VITCL_COMMON_DROPOUT_H
#define VITCL_COMMON_DROPOUT_H

#include "common/random.h"

// The counter's fourth word is this + `use`, which tells a model's dropouts from one another, and from other draws.
#define DROPOUT_USE 0x44524F50u

typedef struct {
  const __global int* draws;  // (images, 4)
  uint use, threshold;
  float kept;
} Dropout;

// Four random words for a sample.
static inline uint4 vitcl_draw(const __global int* draw, uint block, uint use) {
  return vitcl_philox4x32((uint4)(block, (uint)draw[2], (uint)draw[3], DROPOUT_USE + use),
                          (uint2)((uint)draw[0], (uint)draw[1]));
}

// threshold = rate 2^24, compared with what vitcl_uniform() would make a number of.
#define VITCL_DROPOUT(word, threshold, kept) ((word) >> 8 < (threshold) ? 0.0f : (kept))

#endif
