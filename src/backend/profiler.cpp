#include <algorithm>
#include <utility>

#include "backend/native.hpp"

namespace vitcl {

void Queue::State::collect() {
  if (!pending.empty()) pending.back().event.wait();
  for (const Timed& timed : pending) {
    const auto start = timed.event.getProfilingInfo<CL_PROFILING_COMMAND_START>();
    const auto end = std::max(start, timed.event.getProfilingInfo<CL_PROFILING_COMMAND_END>());
    KernelProfile& row = profile[timed.name];
    row.name = timed.name;
    row.calls += 1;
    row.seconds += static_cast<double>(end - start) * 1e-9;
    row.flops += timed.flops;
    row.bytes += timed.bytes;
    if (trace.size() < trace_limit) trace.push_back({timed.name, start, end, timed.flops, timed.bytes});
  }
  pending.clear();
}

std::vector<KernelProfile> Queue::profile() {
  finish();
  checked(device_.info().name, [&] { state_->collect(); });
  std::vector<KernelProfile> rows;
  for (const auto& [name, row] : state_->profile) rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return rows;
}

void Queue::reset_profile() {
  profile();
  state_->profile.clear();
}

std::vector<KernelEvent> Queue::trace() {
  finish();
  checked(device_.info().name, [&] { state_->collect(); });
  return state_->trace;
}

}  // namespace vitcl
