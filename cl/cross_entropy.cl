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

// The logit of the label; NaN for a label out of range, so that what depends on it is NaN.
static inline float label_logit(const __global float* row, int label, int classes) {
  return label >= 0 && label < classes ? row[label] : NAN;
}

// 1 where `own`, the label's logit, is the largest, of equal ones the first; the negations let NaN beat it.
static inline int is_hit(const __global float* row, int label, float own, int classes, __local float* scratch) {
  float beaten = 0.0f;
  for (int c = (int)get_local_id(0); c < classes; c += GROUP) {
    beaten += (c < label && !(row[c] < own)) || (c > label && !(row[c] <= own)) ? 1.0f : 0.0f;
  }
  return vitcl_group_sum(beaten, scratch) == 0.0f && own == own;
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
  const float own = label_logit(row, label, classes);

  const float largest = row_max(row, classes, scratch);
  const float sum = row_exp_sum(row, classes, largest, scratch);
  const float log_sum = vitcl_log(sum);

  float gap = 0.0f;
  for (int c = item; c < classes; c += GROUP) gap += log_sum - (row[c] - largest);
  gap = vitcl_group_sum(gap, scratch);
  const int hit = is_hit(row, label, own, classes, scratch);
  if (item == 0) {
    const float likelihood = log_sum - (own - largest);
    // Without smoothing a logit of -infinity must not make 0 * infinity.
    loss[sample] = smoothing == 0.0f ? likelihood : (1.0f - smoothing) * likelihood + smoothing / (float)classes * gap;
    correct[sample] = hit;
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

// The same for any target t: loss = sum of t (log sum e^d - d); dlogits = (e^d / sum e^d * sum of t - t) / batch. A
// target of 0 takes no part, not even beside a logit of -infinity.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void soft_cross_entropy(
    const __global float* logits, const __global float* targets, const __global int* labels, __global float* loss,
    __global int* correct, int has_gradient, __global float* dlogits, int classes, float batch) {
  __local float scratch[GROUP];
  const ulong sample = get_group_id(0);
  const int item = (int)get_local_id(0), label = labels[sample];
  const __global float* row = logits + sample * (ulong)classes;
  const __global float* wanted = targets + sample * (ulong)classes;

  const float largest = row_max(row, classes, scratch);
  const float sum = row_exp_sum(row, classes, largest, scratch);
  const float log_sum = vitcl_log(sum);
  float mass = 0.0f, likelihood = 0.0f;
  for (int c = item; c < classes; c += GROUP) {
    mass += wanted[c];
    likelihood += wanted[c] == 0.0f ? 0.0f : wanted[c] * (log_sum - (row[c] - largest));
  }
  mass = vitcl_group_sum(mass, scratch);
  likelihood = vitcl_group_sum(likelihood, scratch);
  const int hit = is_hit(row, label, label_logit(row, label, classes), classes, scratch);
  if (item == 0) {
    loss[sample] = likelihood;
    correct[sample] = hit;
  }
  if (has_gradient) {
    __global float* target = dlogits + sample * (ulong)classes;
    for (int c = item; c < classes; c += GROUP) {
      target[c] = (vitcl_exp(row[c] - largest) / sum * mass - wanted[c]) / batch;
    }
  }
}
