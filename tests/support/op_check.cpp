#include "support/op_check.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "support/compare.hpp"
#include "support/force_impl.hpp"
#include "support/gradients.hpp"
#include "support/op_run.hpp"

namespace vitcl::test {
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
                                   FillStyle style = FillStyle::described) {
  Expectation expectation(op_case, device.caps(), style);
  Problems problems;
  for (const std::string& implementation : op_case.implementations(device.info())) {
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

void compare_field(const OpRun& run, const Field& field, const std::vector<double>& want, const Tolerance& tolerance,
                   std::string_view when, Problems& problems) {
  const auto problem = compare(field.name, field.shape, run.download(field), want, tolerance);
  if (problem) problems.push_back(fmt::format("{}: {}", when, *problem));
}

bool is_result(const Field& field) { return field.role == Role::output || field.role == Role::update; }

/// Runs forward and holds the results to the reference: to the bit where `exactly`.
void forward_agrees(OpRun& run, Expectation& expectation, bool exactly, Problems& problems) {
  run.forward();
  for (const Field& field : run.fields()) {
    if (!is_result(field)) continue;
    const Tolerance limit = exactly ? exact() : expectation.op_case().tolerance(field.name);
    compare_field(run, field, expectation.forward()[field.name], limit, "forward", problems);
  }
}

/// The same for the gradients, in every combination of modes.
void backward_agrees(OpRun& run, Expectation& expectation, bool exactly, Problems& problems) {
  for (const GradModes modes : mode_combinations(run.fields())) {
    run.backward(modes);
    for (const Field& field : run.fields()) {
      if (!is_gradient(field.role)) continue;
      const ops::GradMode mode = mode_of(field, modes);
      Tolerance limit = exactly ? exact() : expectation.op_case().tolerance(field.name);
      if (mode == accumulate && !exactly) limit.relative += unit_roundoff;  // one more addition
      const std::string when =
          fmt::format("backward (inputs {}, parameters {})", to_string(modes.input), to_string(modes.parameter));
      compare_field(run, field, expectation.gradient(field, mode), limit, when, problems);
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

/// The sum of upstream gradients times outputs: the scalar whose gradient backward computes.
double weighted_output(const OpCase& op_case, const std::vector<Field>& fields, Values values) {
  op_case.reference_forward(values);
  double sum = 0;
  for (const Field& field : fields) {
    if (field.role != Role::upstream) continue;
    const std::vector<double>& weights = values[field.name];
    const std::vector<double>& output = values[field.name.substr(1)];
    for (size_t i = 0; i < weights.size(); ++i) sum += weights[i] * output[i];
  }
  return sum;
}

Values host_values(const std::vector<Field>& fields) {
  Values values;
  for (const Field& field : fields) {
    values.insert(field.name, is_filled(field.role) ? fill_values(field, FillStyle::described)
                                                    : std::vector<double>(field.shape.elements()));
  }
  return values;
}

}  // namespace

Problems check_forward(Device& device, const OpCase& op_case) {
  const auto check = [](OpRun& run, Expectation& expectation, Problems& problems) {
    forward_agrees(run, expectation, false, problems);
  };
  return under_each_implementation(device, op_case, check);
}

Problems check_backward(Device& device, const OpCase& op_case) {
  const auto check = [](OpRun& run, Expectation& expectation, Problems& problems) {
    run.forward();
    backward_agrees(run, expectation, false, problems);
  };
  return under_each_implementation(device, op_case, check);
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
  return under_each_implementation(device, op_case, check);
}

Problems check_integers(Device& device, const OpCase& op_case) {
  const auto check = [&](OpRun& run, Expectation& expectation, Problems& problems) {
    forward_agrees(run, expectation, true, problems);
    if (has_backward(op_case)) backward_agrees(run, expectation, true, problems);
  };
  return under_each_implementation(device, op_case, check, FillStyle::integers);
}

Problems check_reference_gradient(const OpCase& op_case) {
  const std::vector<Field> fields = op_case.fields({});
  Values values = host_values(fields);
  Values gradients = values;
  op_case.reference_forward(gradients);
  op_case.reference_backward(gradients);
  Problems problems;
  for (const Field& field : fields) {
    if (!is_gradient(field.role)) continue;
    std::vector<double>& input = values[field.name.substr(1)];
    Random random(field.name);
    for (size_t trial = 0; trial < std::min<size_t>(input.size(), 24); ++trial) {
      const size_t i = input.size() <= 24 ? trial : random.next() % input.size();
      const double at = input[i];
      const auto along = [&](double x) {
        input[i] = x;
        return weighted_output(op_case, fields, values);
      };
      const double want = difference<double>(along, at);
      input[i] = at;
      const double got = gradients[field.name][i];
      if (std::abs(got - want) <= 1e-8 * (1 + std::abs(want))) continue;
      problems.push_back(
          fmt::format("{}[{}]: the reference says {:.12g}, differences say {:.12g}", field.name, i, got, want));
    }
  }
  return problems;
}

}  // namespace vitcl::test
