#include "support/reference_check.hpp"

#include <fmt/format.h>

#include <cmath>

#include "selftest/op_run.hpp"
#include "support/gradients.hpp"

namespace vitcl::test {
namespace {

using namespace selftest;

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
    SplitMix random(field.name);
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
