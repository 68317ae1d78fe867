#include <algorithm>

#include "backend/native.hpp"

namespace vitcl {

std::vector<KernelProfile> Queue::profile() {
  finish();
  checked(device_.info().name, [&] {
    for (const auto& timed : state_->pending) {
      const auto start = timed.event.getProfilingInfo<CL_PROFILING_COMMAND_START>();
      const auto end = timed.event.getProfilingInfo<CL_PROFILING_COMMAND_END>();
      auto& row = state_->profile[timed.name];
      row.name = timed.name;
      row.calls += 1;
      row.seconds += static_cast<double>(end - start) * 1e-9;
      row.flops += timed.flops;
      row.bytes += timed.bytes;
    }
  });
  state_->pending.clear();
  std::vector<KernelProfile> rows;
  for (const auto& [name, row] : state_->profile) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return rows;
}

void Queue::reset_profile() {
  profile();
  state_->profile.clear();
}

}  // namespace vitcl
