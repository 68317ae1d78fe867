// Softmax, and softmax cross-entropy with its gradient; one work-group a row of logits.
//
// GROUP: work-items in a group; 1 on CPU devices
#ifndef GROUP
#error "cross_entropy.cl needs GROUP"
#endif
#include "common/activation.h"
#include "common/reduce.h"

static inline float row_max(const __global float* row, int classes, __local float* scratch) {
  float largest = -INFINITY;
  for (int c = (int)get_local_id(0); c < classes; c += GROUP) largest = fmax(largest, row[c]);
  return vitcl_group_max(largest, scratch);
}

// The sum of e^(row - largest).
static inline float row_exp_sum(const __global float* row, int classes, float largest, __local float* scratch) {
  float sum = 0.0f;
  for (int c = (int)get_local_id(0); c < classes; c += GROUP) sum += vitcl_exp(row[c] - largest);
  return vitcl_group_sum(sum, scratch);
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void softmax(const __global float* logits,
                                                                         __global float* probabilities, int classes) {
  __local float scratch[GROUP];
  const __global float* row = logits + get_group_id(0) * (ulong)classes;
  __global float* target = probabilities + get_group_id(0) * (ulong)classes;
  const float largest = row_max(row, classes, scratch);
  const float sum = row_exp_sum(row, classes, largest, scratch);
  for (int c = (int)get_local_id(0); c < classes; c += GROUP) target[c] = vitcl_exp(row[c] - largest) / sum;
}

// With d = logit - largest: loss = (1 - s)(log sum e^d - d[label]) + s (log sum e^d - mean d), s = smoothing;
// dlogits = (e^d / sum e^d - (1 - s) [c = label] - s / classes) / batch. has_gradient 0: dlogits is any buffer.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void cross_entropy(
    const __global float* logits, const __global int* labels, float smoothing, __global float* loss,
    __global int* correct, int has_gradient, __global float* dlogits, int classes, float batch) {
  __local float scratch[GROUP];
  const ulong sample = get_group_id(0);
  const int item = (int)get_local_id(0);
  const __global float* row = logits + sample * (ulong)classes;
  const int label = labels[sample];
  // A label out of range makes everything that depends on it NaN.
  const float own = label >= 0 && label < classes ? row[label] : NAN;

  const float largest = row_max(row, classes, scratch);
  const float sum = row_exp_sum(row, classes, largest, scratch);
  const float log_sum = vitcl_log(sum);

  // Of equal logits the first is the largest; the negations let NaN beat the label's.
  float gap = 0.0f, beaten = 0.0f;
  for (int c = item; c < classes; c += GROUP) {
    gap += log_sum - (row[c] - largest);
    beaten += (c < label && !(row[c] < own)) || (c > label && !(row[c] <= own)) ? 1.0f : 0.0f;
  }
  gap = vitcl_group_sum(gap, scratch);
  beaten = vitcl_group_sum(beaten, scratch);
  if (item == 0) {
    const float likelihood = log_sum - (own - largest);
    // Without smoothing a logit of -infinity must not make 0 * infinity.
    loss[sample] = smoothing == 0.0f ? likelihood : (1.0f - smoothing) * likelihood + smoothing / (float)classes * gap;
    correct[sample] = beaten == 0.0f && own == own;
  }
  if (has_gradient) {
    __global float* target = dlogits + sample * (ulong)classes;
    for (int c = item; c < classes; c += GROUP) {
      const float probability = own == own ? vitcl_exp(row[c] - largest) / sum : NAN;
      const float wanted = smoothing / (float)classes + (c == label ? 1.0f - smoothing : 0.0f);
      target[c] = (probability - wanted) / batch;
    }
  }
}
