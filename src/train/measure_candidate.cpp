// What a candidate's own process does.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "op_timing.hpp"
#include "ops/trial.hpp"
#include "shortened.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::train {
namespace {

using Results = std::vector<std::vector<float>>;

/// Runs a new trial of `key` with an implementation, and leaves it to be run again.
Results run_trial(Device& device, const OpShape& key, const std::string& implementation, ops::Trial& trial) {
  Queue& queue = device.queue();
  device.choices().ask({{key, implementation}});
  trial = ops::make_trial(queue, key);
  trial.run();
  Results results;
  for (const Tensor& result : trial.results) results.push_back(download<float>(queue, result));
  return results;
}

/// How far `got` is from `wanted`, as a share of the largest value wanted: the worst of the results, infinite for NaN.
double deviation(const Results& got, const Results& wanted) {
  double worst = 0;
  for (size_t r = 0; r < wanted.size(); ++r) {
    double largest = 0, error = 0;
    for (size_t i = 0; i < wanted[r].size(); ++i) {
      const auto value = static_cast<double>(got[r][i]), right = static_cast<double>(wanted[r][i]);
      if (!std::isfinite(value)) return std::numeric_limits<double>::infinity();
      largest = std::max(largest, std::abs(right));
      error = std::max(error, std::abs(value - right));
    }
    if (error > 0) worst = std::max(worst, error / largest);
  }
  return worst;
}

Measurement measure(Device& device, const OpShape& key, const std::string& implementation) {
  ops::Trial trial;
  const Results wanted = run_trial(device, key, std::string(ops::plain_implementation(key.op)), trial);
  const Results got = run_trial(device, key, implementation, trial);
  const Choice& choice = device.choices().taken().at(key);
  if (choice.implementation != implementation) return {.failure = "it refuses the shape or the device"};
  // Sums of different order differ by a few roundings of the largest value; a wrong term is far above.
  constexpr double limit = 1e-4;
  const double error = deviation(got, wanted);
  if (std::isinf(error)) return {.failure = "its result is wrong: not every value is finite"};
  if (error > limit) return {.failure = fmt::format("its result is wrong: off by {:.1e} of the largest value", error)};
  const double flops = choice.flops;
  const double seconds = best_seconds(device.queue(), device.queue().record(trial.run));
  return {.microseconds = 1e6 * seconds, .gflops = 1e-9 * flops / seconds};
}

}  // namespace

Measurement measure_candidate(const DeviceInfo& info, const OpShape& key, const std::string& implementation) {
  try {
    Device device(info);
    return measure(device, key, implementation);
  } catch (const Error& error) {
    return {.failure = shortened(error.what())};
  }
}

std::string to_json(const Measurement& measurement) {
  using nlohmann::ordered_json;
  const ordered_json json = measurement.failure.empty() ? ordered_json{{"microseconds", measurement.microseconds},
                                                                       {"gflops", measurement.gflops}}
                                                        : ordered_json{{"failure", measurement.failure}};
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace vitcl::train
