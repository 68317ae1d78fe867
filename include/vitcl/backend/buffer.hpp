#pragma once

#include <cstddef>
#include <memory>

namespace vitcl {

class Device;

/// A span of device memory: a whole allocation or an aligned slice of one (an OpenCL sub-buffer, so that kernels and
/// CLBlast see offset 0). Copies share the memory; it is freed with the last copy.
class Buffer {
 public:
  Buffer() = default;

  /// The size in bytes.
  size_t bytes() const;
  /// Where this slice starts in the allocation it was cut from, in bytes.
  size_t offset() const;
  /// Cuts [offset, offset + bytes) out of this buffer. `offset` must be a multiple of DeviceCaps::buffer_alignment.
  Buffer slice(size_t offset, size_t bytes) const;
  explicit operator bool() const { return state_ != nullptr; }

  struct State;

 private:
  friend class Device;
  friend class Queue;
  friend struct NativeAccess;
  explicit Buffer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// `bytes` rounded up to a multiple of `alignment`.
size_t align_up(size_t bytes, size_t alignment);

}  // namespace vitcl
