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

/// Runs `check` under every implementation; an exception is a problem like any other.
Problems under_each_implementation(Device& device, const OpCase& op_case,
                                   const std::function<void(OpRun&, Problems&)>& check, FillStyle style) {
  Problems problems;
  for (const std::string& implementation : op_case.implementations(device.info())) {
    const ForceImpl forced(implementation);
    Problems found;
    try {
      OpRun run(device, op_case, style);
      check(run, found);
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

/// Holds the fields that `selected` picks to `want`.
void compare_fields(const OpRun& run, const Values& want, const std::function<bool(const Field&)>& selected,
                    const std::function<Tolerance(const Field&)>& tolerance, std::string_view when,
                    Problems& problems) {
  for (const Field& field : run.fields()) {
    if (!selected(field)) continue;
    const auto problem = compare(field.name, field.shape, run.download(field), want[field.name], tolerance(field));
    if (problem) problems.push_back(fmt::format("{}: {}", when, *problem));
  }
}

bool is_result(const Field& field) { return field.role == Role::output || field.role == Role::update; }
bool is_gradient_field(const Field& field) { return is_gradient(field.role); }

void compare_gradients(const OpCase& op_case, OpRun& run, GradModes modes, bool exactly, Problems& problems) {
  run.backward(modes);
  const auto tolerance = [&](const Field& field) -> Tolerance {
    if (exactly) return exact();
    Tolerance limit = op_case.tolerance(field.name);
    if (mode_of(field, modes) == accumulate) limit.relative += unit_roundoff;  // one more addition
    return limit;
  };
  const std::string when =
      fmt::format("backward ({}, parameters {})", to_string(modes.input), to_string(modes.parameter));
  compare_fields(run, run.expected_backward(modes), is_gradient_field, tolerance, when, problems);
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
  const auto check = [&](OpRun& run, Problems& problems) {
    run.forward();
    const auto tolerance = [&](const Field& field) { return op_case.tolerance(field.name); };
    compare_fields(run, run.expected_forward(), is_result, tolerance, "forward", problems);
  };
  return under_each_implementation(device, op_case, check, FillStyle::described);
}

Problems check_backward(Device& device, const OpCase& op_case) {
  const auto check = [&](OpRun& run, Problems& problems) {
    run.forward();
    for (const GradModes modes : mode_combinations(run.fields())) {
      compare_gradients(op_case, run, modes, false, problems);
    }
  };
  return under_each_implementation(device, op_case, check, FillStyle::described);
}

Problems check_repeatable(Device& device, const OpCase& op_case) {
  const bool backward = has_backward(op_case);
  const auto check = [&](OpRun& run, Problems& problems) {
    const auto first = everything_written(run, backward);
    const auto second = everything_written(run, backward);
    for (size_t i = 0; i < first.size(); ++i) {
      if (!same_bits(first[i], second[i])) problems.push_back(fmt::format("result {}: two runs differ", i));
    }
  };
  return under_each_implementation(device, op_case, check, FillStyle::described);
}

Problems check_integers(Device& device, const OpCase& op_case) {
  const auto check = [&](OpRun& run, Problems& problems) {
    run.forward();
    const auto bit_equal = [](const Field&) { return exact(); };
    compare_fields(run, run.expected_forward(), is_result, bit_equal, "forward on integers", problems);
    if (!has_backward(op_case)) return;
    for (const GradModes modes : mode_combinations(run.fields())) {
      compare_gradients(op_case, run, modes, true, problems);
    }
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
