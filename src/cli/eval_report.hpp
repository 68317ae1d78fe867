#pragma once

#include <string>

#include "vitcl/train/checkpoint.hpp"
#include "vitcl/train/classification.hpp"
#include "vitcl/train/evaluator.hpp"

namespace vitcl::cli {

/// What `vitcl eval` found out.
struct EvalResult {
  std::string checkpoint_file, data, device;
  train::Checkpoint checkpoint;
  train::Evaluation evaluation;
  train::ClassificationReport report;
  double seconds = 0;
};

/// The totals, a row a class and, where it is small enough to read, the confusion matrix.
void print_eval_table(const EvalResult& result);
/// Everything, the intervals of the calibration too.
void print_eval_json(const EvalResult& result);
/// A line a class: its name, counts and ratios, and its row of the confusion matrix.
void print_eval_csv(const EvalResult& result);

}  // namespace vitcl::cli
