// A batch in parts, a power of two of them: where each begins, and sums over parts in a binary tree. No kernels here.
//
// floatW, the vector that is summed, must be defined.
#ifndef VITCL_COMMON_PARTS_H
#define VITCL_COMMON_PARTS_H

// Some samples of a batch.
typedef struct {
  int first, last;
} Share;

// Part number `part` of `parts`: the batch is halved, and its halves again; of two halves the first is the smaller.
static inline Share share_of_part(int batch, uint part, uint parts) {
  Share share = {0, batch};
  for (uint bit = parts / 2; bit > 0; bit /= 2) {
    const int middle = (share.first + share.last) / 2;
    if (part & bit) {
      share.first = middle;
    } else {
      share.last = middle;
    }
  }
  return share;
}

// Sums of whole branches of the tree, each on top of larger ones; of all parts, once all were added, it is branch[0].
typedef struct {
  floatW branch[16];
  int count;
} TreeSum;

// Adds the value of part number `part`, part after part.
static inline void add_part(TreeSum* sum, floatW value, uint part) {
  for (; part & 1; part /= 2) value = sum->branch[--sum->count] + value;
  sum->branch[sum->count++] = value;
}

#endif
