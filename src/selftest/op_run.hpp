#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "selftest/cases/op_case.hpp"
#include "selftest/guard.hpp"

namespace vitcl::selftest {

enum class FillStyle {
  described,  ///< as the case says
  integers,   ///< small integers in every f32 field
};

/// What goes into a case and what must come out, on the host in double. The reference runs at most once.
class Expectation {
 public:
  Expectation(const OpCase& op_case, const DeviceCaps& caps, FillStyle style = FillStyle::described);

  const OpCase& op_case() const { return case_; }
  const std::vector<Field>& fields() const { return fields_; }
  /// Filled fields as filled, gradients as before an accumulate, the rest zeros.
  const Values& initial() const { return initial_; }
  /// What the outputs and updates hold after forward; and the gradient `field` after backward under `mode`.
  const Values& forward();
  std::vector<double> gradient(const Field& field, ops::GradMode mode);

 private:
  const OpCase& case_;
  std::vector<Field> fields_;
  Values initial_;
  std::optional<Values> forward_, backward_;
};

/// A case's tensors on a device.
class OpRun {
 public:
  OpRun(Device& device, const Expectation& expectation);

  /// Fills inputs, updates and upstream gradients, poisons the rest, and runs forward.
  void forward();
  /// Runs backward after a forward(); gradients start as NaN (overwrite) or as known integers (accumulate).
  void backward(GradModes modes);

  std::vector<double> download(const Field& field) const;
  /// Guards that were overwritten, and inputs that were changed: one line each.
  std::vector<std::string> damage() const;

  Queue& queue() const { return device_.queue(); }
  const Tensors& tensors() const { return tensors_; }
  const std::vector<Field>& fields() const { return expectation_.fields(); }

 private:
  void upload_values(const Field& field, const std::vector<double>& values);

  Device& device_;
  const Expectation& expectation_;
  std::map<std::string, GuardedTensor> guarded_;
  Tensors tensors_;
};

bool is_filled(Role role);
bool is_gradient(Role role);
/// The mode that governs a gradient field.
ops::GradMode mode_of(const Field& field, GradModes modes);
/// The values that fill a field; the same at every call.
std::vector<double> fill_values(const Field& field, FillStyle style);

}  // namespace vitcl::selftest
