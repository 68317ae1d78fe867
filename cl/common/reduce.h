// Reductions over a one-dimensional work-group of any size, in a fixed tree. No kernels here.
//
// Every work-item of the group must call; each gets the result. `scratch` holds one float per work-item. A call both
// starts and ends with the scratch free to use, so calls may follow each other without a barrier between.
//
// Always inlined: PoCL 3.1 lets work-groups that run at once share a kernel's local array if two calls of a function
// were given it and none other (tests/ops/batch_test.cpp).
#ifndef VITCL_COMMON_REDUCE_H
#define VITCL_COMMON_REDUCE_H

static inline __attribute__((always_inline)) float vitcl_group_sum(float value, __local float* scratch) {
  const int item = (int)get_local_id(0);
  scratch[item] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int left = (int)get_local_size(0); left > 1; left = (left + 1) / 2) {
    const int half_left = (left + 1) / 2;
    if (item + half_left < left) scratch[item] += scratch[item + half_left];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const float result = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return result;
}

static inline __attribute__((always_inline)) float vitcl_group_max(float value, __local float* scratch) {
  const int item = (int)get_local_id(0);
  scratch[item] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int left = (int)get_local_size(0); left > 1; left = (left + 1) / 2) {
    const int half_left = (left + 1) / 2;
    if (item + half_left < left) scratch[item] = fmax(scratch[item], scratch[item + half_left]);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const float result = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return result;
}

#endif
