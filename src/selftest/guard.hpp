#pragma once

#include <optional>
#include <string>

#include "vitcl/tensor/tensor.hpp"

namespace vitcl::selftest {

/// A device tensor between two guards: a slice of a larger allocation, so that a write outside it lands in known words
/// instead of in unknown memory. Everything, the tensor too, starts as NaNs with a telltale payload: a read outside,
/// or of what nobody wrote, spoils the result. On a device that reports wrong accesses by
/// itself (DeviceCaps::interpreter) the tensor is an allocation of its own, its contents undefined: guards would hide
/// what is wrong.
class GuardedTensor {
 public:
  GuardedTensor(Device& device, const Shape& shape, DType dtype);

  const Tensor& tensor() const { return tensor_; }
  /// The whole allocation; the tensor starts `front_bytes()` into it.
  const Buffer& memory() const { return memory_; }
  size_t front_bytes() const { return front_bytes_; }

  /// Says which guard was overwritten, and where. Waits for the queue.
  std::optional<std::string> violation(Queue& queue) const;
  /// Makes the tensor's contents NaN again.
  void poison(Queue& queue) const;

 private:
  bool guarded_;
  size_t front_bytes_ = 0;
  Buffer memory_;
  Tensor tensor_;
};

}  // namespace vitcl::selftest
