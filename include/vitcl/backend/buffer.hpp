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

/// Hands out aligned slices of one allocation, first to last.
class Arena {
 public:
  Arena() = default;
  Arena(Buffer memory, size_t alignment) : memory_(std::move(memory)), alignment_(alignment) {}

  /// The next `bytes` bytes. Throws DeviceError when the arena is used up.
  Buffer take(size_t bytes);
  const Buffer& memory() const { return memory_; }

 private:
  Buffer memory_;
  size_t alignment_ = 1;
  size_t used_ = 0;
};

/// `bytes` rounded up to a multiple of `alignment`.
size_t align_up(size_t bytes, size_t alignment);

}  // namespace vitcl
