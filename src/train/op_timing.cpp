#include "op_timing.hpp"

#include <algorithm>
#include <chrono>

namespace vitcl::train {

double best_seconds(Queue& queue, const CommandList& commands) {
  using Clock = std::chrono::steady_clock;
  const auto batch_seconds = [&](size_t calls) {
    const auto start = Clock::now();
    for (size_t i = 0; i < calls; ++i) queue.replay(commands);
    queue.finish();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  constexpr double batch_target = 2e-3, least_total = 0.1, most_total = 1;
  constexpr size_t least_batches = 5;
  const double first = batch_seconds(1);
  const size_t calls = static_cast<size_t>(std::clamp(batch_target / first, 1.0, 1000.0));
  double best = first, total = 0;
  for (size_t batch = 0; total < most_total && (batch < least_batches || total < least_total); ++batch) {
    const double seconds = batch_seconds(calls);
    best = std::min(best, seconds / static_cast<double>(calls));
    total += seconds;
  }
  return best;
}

}  // namespace vitcl::train
