// Times every case of every op on every device, under each of its implementations, forward and backward. Names read
// gelu/1700x128/forward/pocl_cpu; --benchmark_filter takes a regular expression. Times are wall times of calls queued
// back to back, as a training step queues them, and divided by their number.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <exception>
#include <memory>
#include <string>

#include "all_cases.hpp"
#include "support/devices.hpp"
#include "support/force_impl.hpp"
#include "support/op_run.hpp"

namespace vitcl::test {
namespace {

constexpr GradModes overwrite{ops::GradMode::overwrite, ops::GradMode::overwrite};

/// Calls queued before the host waits.
constexpr int calls = 10;

struct Measurement {
  std::shared_ptr<const OpCase> op_case;
  TestDevice device;
  std::string implementation;
  bool backward;

  void call(OpRun& run) const {
    if (backward) {
      op_case->backward(run.queue(), run.tensors(), overwrite);
    } else {
      op_case->forward(run.queue(), run.tensors());
    }
  }
  Cost cost() const { return backward ? op_case->backward_cost() : op_case->forward_cost(); }
};

void measure(benchmark::State& state, const Measurement& what) {
  const ForceImpl forced(what.implementation);
  try {
    Device& device = open_device(what.device);
    const Expectation inputs(*what.op_case, device.caps());
    OpRun run(device, inputs);
    run.forward();
    if (what.backward) run.backward(overwrite);
    while (state.KeepRunningBatch(calls)) {
      for (int call = 0; call < calls; ++call) what.call(run);
      run.queue().finish();
    }
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
    return;
  }
  using benchmark::Counter;
  state.counters["flop/s"] = Counter(what.cost().flops, Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = Counter(what.cost().bytes, Counter::kIsIterationInvariantRate);
}

void register_case(const std::string& op, const std::shared_ptr<const OpCase>& op_case, const TestDevice& device) {
  const Cost forward = op_case->forward_cost();
  if (forward.flops + forward.bytes > work_limit(device.info)) return;
  for (const std::string& implementation : op_case->implementations(device.info)) {
    for (const bool backward : {false, true}) {
      if (backward && !has_backward(*op_case)) continue;
      const std::string name = fmt::format("{}/{}/{}/{}{}{}", op, op_case->name(), backward ? "backward" : "forward",
                                           device.slug, implementation.empty() ? "" : "/", implementation);
      const Measurement what{op_case, device, implementation, backward};
      benchmark::RegisterBenchmark(name.c_str(), measure, what)->UseRealTime()->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace vitcl::test

int main(int argc, char** argv) {
  using namespace vitcl::test;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const TestDevice& device : test_devices()) {
    for (const OpCases& op : all_cases()) {
      for (const auto& op_case : op.cases) register_case(op.op, op_case, device);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  close_devices();
  return 0;
}
