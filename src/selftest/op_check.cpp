#include "selftest/op_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "selftest/compare.hpp"
#include "selftest/force_impl.hpp"
#include "selftest/op_run.hpp"

namespace vitcl::selftest {
namespace {

constexpr ops::GradMode overwrite = ops::GradMode::overwrite;
constexpr ops::GradMode accumulate = ops::GradMode::accumulate;

std::string_view to_string(ops::GradMode mode) { return mode == overwrite ? "overwrite" : "accumulate"; }

/// The combinations of modes that differ for this case: mixed ones only where it has both kinds of gradients.
std::vector<GradModes> mode_combinations(const std::vector<Field>& fields) {
  bool input = false, parameter = false;
  for (const Field& field : fields) {
    input |= field.role == Role::gradient;
    parameter |= field.role == Role::parameter_gradient;
  }
  std::vector<GradModes> modes{{overwrite, overwrite}, {accumulate, accumulate}};
  if (input && parameter) modes.insert(modes.end(), {{overwrite, accumulate}, {accumulate, overwrite}});
  return modes;
}

using Check = std::function<void(OpRun&, Expectation&, Problems&)>;

/// Runs `check` under every implementation; an exception is a problem like any other.
Problems under_each_implementation(Device& device, const OpCase& op_case, const Check& check,
                                   const CheckOptions& options, FillStyle style = FillStyle::described) {
  Expectation expectation(op_case, device.caps(), style);
  Problems problems;
  for (const std::string& implementation : op_case.implementations(device.info())) {
    if (options.shipped_only && !implementation.empty()) continue;
    const ForceImpl forced(implementation);
    Problems found;
    try {
      OpRun run(device, expectation);
      check(run, expectation, found);
      for (const std::string& line : run.damage()) found.push_back(line);
    } catch (const std::exception& error) {
      found.emplace_back(error.what());
    }
    for (const std::string& line : found) {
      problems.push_back(implementation.empty() ? line : fmt::format("[{}] {}", implementation, line));
    }
  }
  return problems;
}

/// What results are held to, and where what is found goes.
struct Judge {
  bool exactly;  ///< to the bit
  double* worst_share;
  Problems& problems;

  void compare_field(const OpRun& run, const Field& field, const std::vector<double>& want, const Tolerance& tolerance,
                     std::string_view when) const {
    const std::vector<double> got = run.download(field);
    const Tolerance limit = exactly ? exact() : tolerance;
    const auto problem = compare(field.name, field.shape, got, want, limit);
    if (problem) problems.push_back(fmt::format("{}: {}", when, *problem));
    if (worst_share != nullptr) *worst_share = std::max(*worst_share, share_of_limit(got, want, limit));
  }
};

bool is_result(const Field& field) { return field.role == Role::output || field.role == Role::update; }

/// Runs forward and holds the results to the reference.
void forward_agrees(OpRun& run, Expectation& expectation, const Judge& judge) {
  run.forward();
  for (const Field& field : run.fields()) {
    if (!is_result(field)) continue;
    judge.compare_field(run, field, expectation.forward()[field.name], expectation.op_case().tolerance(field.name),
                        "forward");
  }
}

/// The same for the gradients, in every combination of modes.
void backward_agrees(OpRun& run, Expectation& expectation, const Judge& judge) {
  for (const GradModes modes : mode_combinations(run.fields())) {
    run.backward(modes);
    for (const Field& field : run.fields()) {
      if (!is_gradient(field.role)) continue;
      const ops::GradMode mode = mode_of(field, modes);
      Tolerance limit = expectation.op_case().tolerance(field.name);
      if (mode == accumulate) limit.relative += unit_roundoff;  // one more addition
      const std::string when =
          fmt::format("backward (inputs {}, parameters {})", to_string(modes.input), to_string(modes.parameter));
      judge.compare_field(run, field, expectation.gradient(field, mode), limit, when);
    }
  }
}

/// Results and gradients of one whole run, for a comparison of bits.
std::vector<std::vector<double>> everything_written(OpRun& run, bool backward) {
  run.forward();
  if (backward) run.backward({overwrite, overwrite});
  std::vector<std::vector<double>> values;
  for (const Field& field : run.fields()) {
    if (is_result(field) || (backward && is_gradient(field.role))) values.push_back(run.download(field));
  }
  return values;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

}  // namespace

Problems check_forward(Device& device, const OpCase& op_case, const CheckOptions& options) {
  const auto check = [&](OpRun& run, Expectation& expectation, Problems& problems) {
    forward_agrees(run, expectation, {false, options.worst_share, problems});
  };
  return under_each_implementation(device, op_case, check, options);
}

Problems check_backward(Device& device, const OpCase& op_case, const CheckOptions& options) {
  const auto check = [&](OpRun& run, Expectation& expectation, Problems& problems) {
    run.forward();
    backward_agrees(run, expectation, {false, options.worst_share, problems});
  };
  return under_each_implementation(device, op_case, check, options);
}

Problems check_repeatable(Device& device, const OpCase& op_case) {
  const bool backward = has_backward(op_case);
  const auto check = [&](OpRun& run, Expectation&, Problems& problems) {
    const auto first = everything_written(run, backward);
    const auto second = everything_written(run, backward);
    for (size_t i = 0; i < first.size(); ++i) {
      if (!same_bits(first[i], second[i])) problems.push_back(fmt::format("result {}: two runs differ", i));
    }
  };
  return under_each_implementation(device, op_case, check, {});
}

Problems check_integers(Device& device, const OpCase& op_case, const CheckOptions& options) {
  const auto check = [&](OpRun& run, Expectation& expectation, Problems& problems) {
    const Judge judge{true, options.worst_share, problems};
    forward_agrees(run, expectation, judge);
    if (has_backward(op_case)) backward_agrees(run, expectation, judge);
  };
  return under_each_implementation(device, op_case, check, options, FillStyle::integers);
}

double work_limit(const DeviceInfo& info) {
  if (info.caps.interpreter) return 1e5;
  if (info.caps.small_kernels_only) return 1e7;
  return 1e10;
}

}  // namespace vitcl::selftest
