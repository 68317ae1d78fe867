#pragma once

#include <map>
#include <string>
#include <vector>

#include "cases/op_case.hpp"
#include "support/guard.hpp"

namespace vitcl::test {

enum class FillStyle {
  described,  ///< as the case says
  integers,   ///< small integers in every f32 field
};

/// A case's tensors on a device, filled, and the same values on the host in double.
class OpRun {
 public:
  OpRun(Device& device, const OpCase& op_case, FillStyle style = FillStyle::described);

  /// Fills inputs, updates and upstream gradients, poisons the rest, and runs forward.
  void forward();
  /// Runs backward after a forward(); gradients start as NaN (overwrite) or as known integers (accumulate).
  void backward(GradModes modes);

  /// What the fields must hold after forward(); and after backward(modes).
  Values expected_forward() const;
  Values expected_backward(GradModes modes) const;

  std::vector<double> download(const Field& field) const;
  /// Guards that were overwritten, and inputs that were changed: one line each.
  std::vector<std::string> damage() const;

  Queue& queue() { return device_.queue(); }
  const Tensors& tensors() const { return tensors_; }
  const std::vector<Field>& fields() const { return fields_; }

 private:
  void upload_values(const Field& field, const std::vector<double>& values);

  Device& device_;
  const OpCase& case_;
  std::vector<Field> fields_;
  std::map<std::string, GuardedTensor> guarded_;
  Tensors tensors_;
  Values initial_;  ///< filled fields as filled, gradients as before an accumulate, the rest zeros
};

bool is_filled(Role role);
bool is_gradient(Role role);
/// The mode that governs a gradient field.
ops::GradMode mode_of(const Field& field, GradModes modes);
/// The values that fill a field; the same at every call.
std::vector<double> fill_values(const Field& field, FillStyle style);

}  // namespace vitcl::test
