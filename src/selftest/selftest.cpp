#include "vitcl/selftest/selftest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "selftest/activation_check.hpp"
#include "selftest/all_cases.hpp"
#include "selftest/force_impl.hpp"
#include "selftest/op_run.hpp"
#include "selftest/step_check.hpp"
#include "train/shortened.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::selftest {
namespace {

/// The most work (flops + bytes) in one input: what the references need milliseconds for.
double case_limit(const DeviceInfo& info) {
  constexpr double quick = 3e5, quick_in_an_interpreter = 1e4;
  return info.caps.interpreter ? quick_in_an_interpreter : quick;
}

bool is_chosen(const OpCase& op_case, const DeviceInfo& info) {
  const Cost forward = op_case.forward_cost(), backward = op_case.backward_cost();
  const double work = forward.flops + forward.bytes + backward.flops + backward.bytes;
  return work <= case_limit(info) && !op_case.implementations(info).empty();
}

std::vector<std::string> names_since(Queue& queue, size_t first) {
  std::vector<std::string> names;
  const std::vector<KernelEvent> events = queue.trace();
  for (size_t i = first; i < events.size(); ++i) {
    if (std::ranges::find(names, events[i].name) == names.end()) names.push_back(events[i].name);
  }
  return names;
}

/// The kernels that a pass of a case launches on the device: " (kernels a, b)".
std::string kernels_of(const DeviceInfo& info, const OpCase& op_case, bool backward) {
  try {
    const ForceImpl unforced("");
    Device device(info, {.trace = 64});
    const Expectation inputs(op_case, device.caps());
    OpRun run(device, inputs);
    run.forward();
    const size_t forward_launches = device.queue().trace().size();
    if (backward) run.backward({ops::GradMode::overwrite, ops::GradMode::overwrite});
    const auto names = names_since(device.queue(), backward ? forward_launches : 0);
    return names.empty() ? "" : fmt::format(" (kernels {})", fmt::join(names, ", "));
  } catch (const Error&) {
    return "";  // it does not compile, as the failure says
  }
}

Problems all_checks(Device& device, const OpCase& op_case, double& worst) {
  const CheckOptions options{.shipped_only = true, .worst_share = &worst};
  Problems problems = check_forward(device, op_case, options);
  const auto add = [&](const Problems& more) { problems.insert(problems.end(), more.begin(), more.end()); };
  if (has_backward(op_case)) add(check_backward(device, op_case, options));
  if (op_case.exact_on_integers()) add(check_integers(device, op_case, options));
  return problems;
}

OpResult check_op(Device& device, const OpCases& op) {
  OpResult result{.op = op.op, .unit = "of its limit"};
  for (const auto& op_case : op.cases) {
    if (!is_chosen(*op_case, device.info())) continue;
    ++result.inputs;
    for (const std::string& problem : all_checks(device, *op_case, result.worst_error)) {
      const std::string kernels = kernels_of(device.info(), *op_case, problem.starts_with("backward"));
      result.failures.push_back(fmt::format("{}{}: {}", op_case->name(), kernels, train::shortened(problem)));
    }
  }
  return result;
}

OpResult check_functions(Device& device) {
  const size_t points = device.caps().interpreter ? 400 : 40'000;
  OpResult result{.op = "activations", .inputs = points, .unit = "ulp"};
  result.failures = check_activations(device, points, result.worst_error);
  return result;
}

OpResult check_steps(Device& device) {
  OpResult result{.op = "training step", .inputs = 2, .unit = "of its limit"};
  for (const bool fuse : {true, false}) {
    const Problems problems = check_training_step(device, fuse, result.worst_error);
    result.failures.insert(result.failures.end(), problems.begin(), problems.end());
  }
  return result;
}

/// What `check` finds; an exception is a failure like any other.
template <class Check>
OpResult guarded(const std::string& op, const Check& check) {
  try {
    return check();
  } catch (const std::exception& error) {
    return {.op = op, .unit = "", .failures = {train::shortened(error.what())}};
  }
}

}  // namespace

bool Report::passed() const {
  return !ops.empty() && std::ranges::all_of(ops, [](const OpResult& op) { return op.failures.empty(); });
}

Verdict Report::verdict() const {
  for (const OpResult& op : ops) {
    if (!op.failures.empty()) return {.failure = fmt::format("{}: {}", op.op, op.failures.front())};
  }
  return {.failure = ops.empty() ? "nothing was tested" : ""};
}

Report run(const DeviceInfo& info) {
  const auto start = std::chrono::steady_clock::now();
  Report report;
  const OpResult opened = guarded("opening", [&] {
    Device device(info);
    for (const OpCases& op : all_cases()) {
      report.ops.push_back(guarded(op.op, [&] { return check_op(device, op); }));
    }
    report.ops.push_back(guarded("activations", [&] { return check_functions(device); }));
    report.ops.push_back(guarded("training step", [&] { return check_steps(device); }));
    return OpResult{};
  });
  if (!opened.failures.empty()) report.ops.push_back(opened);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace vitcl::selftest
