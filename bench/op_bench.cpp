// Times every case of every op on every device, under each of its implementations, forward and backward, and the matrix
// products of gemm_products.hpp. Names read gelu/1700x128/forward/pocl_cpu and gemm/nt/1700x64x192/pocl_cpu;
// --benchmark_filter takes a regular expression, --device NAME keeps one device. Times are wall times of calls queued
// back to back, as a training step queues them, and divided by their number.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gemm_products.hpp"
#include "selftest/all_cases.hpp"
#include "selftest/force_impl.hpp"
#include "selftest/op_run.hpp"
#include "support/devices.hpp"
#include "train/fma_peak.hpp"

namespace vitcl::test {
namespace {

constexpr GradModes overwrite{ops::GradMode::overwrite, ops::GradMode::overwrite};

/// Calls queued before the host waits.
constexpr int calls = 10;

struct Measurement {
  std::string name;
  TestDevice device;
  std::string implementation;
  Cost cost;
  /// Makes the operands and returns what enqueues one call.
  std::function<std::function<void()>(Device&)> prepare;
};

/// The device's FLOP/s at most, measured when first asked for.
double peak_of(const TestDevice& device) {
  static std::map<std::string, double> peaks;
  const auto [entry, is_new] = peaks.try_emplace(device.slug);
  if (is_new) entry->second = train::fma_peak(open_device(device));
  return entry->second;
}

void measure(benchmark::State& state, const Measurement& what) {
  const ForceImpl forced(what.implementation);
  std::chrono::steady_clock::duration elapsed{};
  try {
    Device& device = open_device(what.device);
    const std::function<void()> call = what.prepare(device);
    call();
    device.queue().finish();
    const auto start = std::chrono::steady_clock::now();
    while (state.KeepRunningBatch(calls)) {
      for (int i = 0; i < calls; ++i) call();
      device.queue().finish();
    }
    elapsed = std::chrono::steady_clock::now() - start;
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
    return;
  }
  const double per_second = static_cast<double>(state.iterations()) / std::chrono::duration<double>(elapsed).count();
  state.counters["GFLOP/s"] = 1e-9 * what.cost.flops * per_second;
  state.counters["GB/s"] = 1e-9 * what.cost.bytes * per_second;
  state.counters["of_peak"] = what.cost.flops * per_second / peak_of(what.device);
}

void add(const Measurement& what) {
  const std::string name = fmt::format("{}/{}{}{}", what.name, what.device.slug, what.implementation.empty() ? "" : "/",
                                       what.implementation);
  benchmark::RegisterBenchmark(name.c_str(), measure, what)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

/// A case's tensors after a forward, ready for more of one pass.
std::function<void()> prepare_case(const std::shared_ptr<const OpCase>& op_case, bool backward, Device& device) {
  const auto inputs = std::make_shared<Expectation>(*op_case, device.caps());
  const auto run = std::make_shared<OpRun>(device, *inputs);
  run->forward();
  if (!backward) return [op_case, inputs, run] { op_case->forward(run->queue(), run->tensors()); };
  run->backward(overwrite);
  return [op_case, inputs, run] { op_case->backward(run->queue(), run->tensors(), overwrite); };
}

void add_case(const std::string& op, const std::shared_ptr<const OpCase>& op_case, const TestDevice& device) {
  const Cost forward = op_case->forward_cost();
  if (forward.flops + forward.bytes > work_limit(device.info)) return;
  for (const std::string& implementation : op_case->implementations(device.info)) {
    for (const bool backward : {false, true}) {
      if (backward && !has_backward(*op_case)) continue;
      add({.name = fmt::format("{}/{}/{}", op, op_case->name(), backward ? "backward" : "forward"),
           .device = device,
           .implementation = implementation,
           .cost = backward ? op_case->backward_cost() : forward,
           .prepare = [=](Device& open) { return prepare_case(op_case, backward, open); }});
    }
  }
}

void add_product(const bench::GemmProduct& product, const TestDevice& device) {
  const Cost cost{product.flops(), product.bytes()};
  if (cost.flops + cost.bytes > work_limit(device.info)) return;
  add({.name = "gemm/" + product.name,
       .device = device,
       .implementation = "",
       .cost = cost,
       .prepare = [=](Device& open) { return product.prepare(open); }});
}

/// --device NAME, the only option beside Google Benchmark's.
std::optional<size_t> chosen_device(int argc, char** argv) {
  if (argc != 3 || std::string(argv[1]) != "--device") return std::nullopt;
  return select_device(argv[2]).index;
}

void add_all(std::optional<size_t> only_device) {
  for (const TestDevice& device : test_devices()) {
    if (only_device && device.info.index != *only_device) continue;
    for (const OpCases& op : all_cases()) {
      for (const auto& op_case : op.cases) add_case(op.op, op_case, device);
    }
    for (const bench::GemmProduct& product : bench::gemm_products()) add_product(product, device);
  }
}

}  // namespace
}  // namespace vitcl::test

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  try {
    const auto device = vitcl::test::chosen_device(argc, argv);
    if (!device && benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    vitcl::test::add_all(device);
    benchmark::RunSpecifiedBenchmarks();
    vitcl::test::close_devices();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "vitcl_op_bench: {}\n", error.what());
    return 1;
  }
}
