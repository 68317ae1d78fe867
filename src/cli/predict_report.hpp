#pragma once

#include <string>
#include <vector>

#include "vitcl/train/checkpoint.hpp"

namespace vitcl::cli {

/// What a model takes a picture for.
struct Prediction {
  std::string image;
  bool inverted = false;
  std::vector<float> probabilities;  ///< one a class
};

// Each shows the `k` most probable classes, the most probable first; JSON also all probabilities.

void print_predictions_table(const std::vector<Prediction>& predictions, const train::Checkpoint& checkpoint, size_t k);
void print_predictions_json(const std::vector<Prediction>& predictions, const train::Checkpoint& checkpoint, size_t k);
void print_predictions_csv(const std::vector<Prediction>& predictions, const train::Checkpoint& checkpoint, size_t k);

}  // namespace vitcl::cli
