#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vitcl/backend/buffer.hpp"

namespace vitcl {

/// The integers that shape a kernel's code, passed to the compiler as -DNAME=VALUE. Numbers that only change values
/// are kernel arguments instead.
class KernelSpec {
 public:
  KernelSpec&& define(std::string_view name, int64_t value) &&;
  /// "-DA=1 -DB=2", in the order of definition.
  std::string options() const;

 private:
  std::vector<std::pair<std::string, int64_t>> defines_;
};

/// A compiled kernel. Copies share it.
class Kernel {
 public:
  Kernel() = default;
  const std::string& name() const;
  struct State;

 private:
  friend class Device;
  friend class Queue;
  friend struct NativeAccess;
  explicit Kernel(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// One argument of a launch. The C++ type decides the OpenCL type: int32_t is int, uint32_t is uint, uint64_t is ulong.
using KernelArgument = std::variant<Buffer, int32_t, uint32_t, uint64_t, float>;

}  // namespace vitcl
