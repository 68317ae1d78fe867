// A device's benchmark in a process of its own.
#include <fmt/format.h>
#include <sys/wait.h>

#include "backend/child_process.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/train/benchmark.hpp"

namespace vitcl::train {

DeviceBenchmark benchmark_in_child(const DeviceInfo& device, const std::vector<std::string>& command, double seconds) {
  const ChildResult child = run_child(command, seconds);
  DeviceBenchmark result = new_device_benchmark(device);
  result.failure = failure_of(child, seconds);
  if (!result.failure.empty()) return result;
  try {
    return benchmark_from_json(last_line(child), "its answer").devices.at(0);
  } catch (const std::exception&) {
    result.failure = fmt::format("it ended with code {} and no figures", WEXITSTATUS(child.status));
  }
  return result;
}

}  // namespace vitcl::train
