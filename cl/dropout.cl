// Dropout (Srivastava et al. 2014) and stochastic depth (Huang et al. 2016): a factor of 0 or `kept` for each element,
// or one for each sample; see common/dropout.h. The same kernels go forward (x to y) and backward (dy to dx).
//
// WIDTH, STORAGE_BITS: see common/flat.h
#ifndef WIDTH
#error "dropout.cl needs WIDTH"
#endif
#include "common/dropout.h"
#include "common/flat.h"

// 64 elements share 16 blocks of four words: element 16 w + b takes word w of block b.
#if WIDTH == 16
typedef uint16 uintW;
// The words for the 64 elements from the 64 `group` on: one round for all 16 blocks at once.
static inline void draw_group(uint16* words, const __global int* draw, ulong group, uint use) {
  uint16 block = (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) + 16u * (uint)group;
  uint16 sample = (uint16)((uint)draw[2]), epoch = (uint16)((uint)draw[3]), last = (uint16)(DROPOUT_USE + use);
  VITCL_PHILOX_ROUNDS(uint16, mul_hi, block, sample, epoch, last, (uint)draw[0], (uint)draw[1]);
  words[0] = block;
  words[1] = sample;
  words[2] = epoch;
  words[3] = last;
}

// The factors of the elements from i, a multiple of 16, on. `words` are those of the 64 elements around i - 16.
static inline floatW factors(uintW* words, bool first, ulong i, const __global int* draw, uint use, uint threshold,
                             float kept) {
  const uint quarter = (uint)(i / 16) % 4u;
  if (first || quarter == 0) draw_group(words, draw, i / 64, use);
  const int16 dropped = words[quarter] >> 8 < (uint16)(threshold);
  return select((float16)(kept), (float16)(0.0f), dropped);
}
#else
typedef uint uintW;
static inline floatW factors(uintW* words, bool first, ulong i, const __global int* draw, uint use, uint threshold,
                             float kept) {
  const uint4 block = vitcl_draw(draw, 16u * (uint)(i / 64) + (uint)i % 16u, use);
  const uint quarter = (uint)(i / 16) % 4u;
  const uint word = quarter == 0 ? block.x : quarter == 1 ? block.y : quarter == 2 ? block.z : block.w;
  return VITCL_DROPOUT(word, threshold, kept);
}
#endif

// Dimension 0: the elements of a sample; 1: the sample.
__kernel void dropout(const __global stored* source, const __global int* draws, uint use, uint threshold, float kept,
                      int accumulate, __global stored* target, ulong size, ulong chunk) {
  const ulong sample = get_global_id(1);
  const __global stored* from = source + sample * size;
  __global stored* to = target + sample * size;
  uintW words[4];
  bool first = true;
  VITCL_FOR_EACH(i, size, chunk) {
    const floatW factor = factors(words, first, i, draws + 4 * sample, use, threshold, kept);
    vitcl_store_stored_gradient(factor * vitcl_load_stored(from, i, size), to, i, size, accumulate);
    first = false;
  }
}

__kernel void drop_path(const __global stored* source, const __global int* draws, uint use, uint threshold, float kept,
                        int accumulate, __global stored* target, ulong size, ulong chunk) {
  const ulong sample = get_global_id(1);
  const __global stored* from = source + sample * size;
  __global stored* to = target + sample * size;
  const float factor = VITCL_DROPOUT(vitcl_draw(draws + 4 * sample, 0, use).x, threshold, kept);
  VITCL_FOR_EACH(i, size, chunk) {
    vitcl_store_stored_gradient(factor * vitcl_load_stored(from, i, size), to, i, size, accumulate);
  }
}
