#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "selftest/fill.hpp"
#include "selftest/tolerances.hpp"
#include "vitcl/backend/device.hpp"
#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::selftest {

/// What a tensor is to its op.
enum class Role {
  input,     ///< read by forward and backward
  output,    ///< written in full by forward (results, saved state); backward may read it
  saved,     ///< left by forward for backward in a form of the op's own: the gradients tell whether it is right
  update,    ///< read and written by forward
  upstream,  ///< the gradient of an output, named "d" + that output's name: read by backward
  gradient,  ///< the gradient of an input, named "d" + its name: written under GradModes::input
  parameter_gradient,  ///< the gradient of a parameter: written under GradModes::parameter
  workspace,           ///< scratch; what it holds before and after does not matter
};

/// One tensor of an op. `fill` makes the values of inputs, updates and upstream gradients.
struct Field {
  std::string name;
  Role role;
  Shape shape;
  Fill fill = normal();
  DType dtype = DType::f32;
};

struct GradModes {
  ops::GradMode input, parameter;
};

/// What a pass costs, for the benchmark (and for leaving big cases out on slow devices).
struct Cost {
  double flops = 0;
  double bytes = 0;
};

/// Things by name; asking for a name that is not there throws.
template <class T>
class Named {
 public:
  void insert(const std::string& name, T value) { items_.insert_or_assign(name, std::move(value)); }
  const T& operator[](std::string_view name) const { return find(*this, name); }
  T& operator[](std::string_view name) { return find(*this, name); }

 private:
  template <class Self>
  static auto& find(Self& self, std::string_view name) {
    const auto item = self.items_.find(name);
    if (item == self.items_.end()) throw std::out_of_range("the case has no field \"" + std::string(name) + "\"");
    return item->second;
  }
  std::map<std::string, T, std::less<>> items_;
};

using Tensors = Named<Tensor>;              ///< on the device
using Values = Named<std::vector<double>>;  ///< on the host, for the reference; all element types as double

/// An op with one set of shapes and options, described once. From it come the tests (op_test.cpp) and the benchmark
/// (bench/op_bench.cpp).
class OpCase {
 public:
  virtual ~OpCase() = default;

  /// Shapes and options as text, unique among the op's cases: "17x65", "3x5x8_masked".
  virtual std::string name() const = 0;
  virtual std::vector<Field> fields(const DeviceCaps& caps) const = 0;

  /// One call of the op on the device; tensors[NAME] holds the field NAME.
  virtual void forward(Queue& queue, const Tensors& tensors) const = 0;
  virtual void backward(Queue&, const Tensors&, GradModes) const {}
  /// The same in double: fills the outputs and updates; the gradients (as if by overwrite).
  virtual void reference_forward(Values& values) const = 0;
  virtual void reference_backward(Values&) const {}

  /// How far the device may be from the reference in the field `name`. State where it comes from.
  virtual Tolerance tolerance(std::string_view name) const = 0;
  /// Whether small integers in every f32 field must give the reference's result to the bit.
  virtual bool exact_on_integers() const { return false; }
  /// The values of VITCL_IMPL under which the case is run; "" leaves the choice to the op. None where the op refuses
  /// the case on the device, or the device's compiler would need minutes for it: it isn't run there.
  virtual std::vector<std::string> implementations(const DeviceInfo&) const { return {""}; }

  virtual Cost forward_cost() const = 0;
  virtual Cost backward_cost() const { return {}; }
};

/// Whether the case has anything to run backward.
inline bool has_backward(const OpCase& op_case) {
  return std::ranges::any_of(op_case.fields({}), [](const Field& field) {
    return field.role == Role::gradient || field.role == Role::parameter_gradient;
  });
}

using CaseList = std::vector<std::shared_ptr<const OpCase>>;

/// make_cases<GeluCase>({{1, 1}, {17, 65}}): one case per braced set of constructor arguments.
template <class Case>
CaseList make_cases(std::initializer_list<Case> cases) {
  CaseList list;
  for (const Case& one : cases) list.push_back(std::make_shared<const Case>(one));
  return list;
}

}  // namespace vitcl::selftest
