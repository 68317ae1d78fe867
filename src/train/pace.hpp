#pragma once

#include <algorithm>
#include <cstddef>

namespace vitcl::train {

/// How many steps to enqueue before the host waits for the device: few enough that statistics and interrupts are seen
/// several times a second, many enough that waiting costs nothing. It never changes what is computed.
class Pace {
 public:
  size_t steps() const { return steps_; }
  /// Adapts to what the last `steps` steps took.
  void took(size_t steps, double seconds) {
    constexpr double target = 0.25;  // seconds
    constexpr size_t most = 64;
    double fitting = target / std::max(seconds / static_cast<double>(steps), target / static_cast<double>(most));
    steps_ = std::clamp(static_cast<size_t>(fitting), size_t{1}, std::min(most, 2 * steps_));
  }

 private:
  size_t steps_ = 1;
};

}  // namespace vitcl::train
