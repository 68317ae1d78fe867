#pragma once

#include <string>
#include <vector>

#include "vitcl/train/tuner.hpp"

namespace vitcl::cli {

/// Which implementations a training step takes on a device, and what the tuner knows of them.
struct Explanation {
  DeviceInfo device;
  std::string model;
  size_t batch = 0;
  std::vector<train::StepChoice> choices;
  std::vector<TuningRecord> records;
  std::string ignored;  ///< what the tuner's file holds beside them
  std::string failure;  ///< why there are no choices
};
Explanation explain(const DeviceInfo& device, const train::TrainConfig& config);

void print_explanation(const Explanation& explanation);
/// A JSON object.
std::string to_json(const Explanation& explanation);

}  // namespace vitcl::cli
