#pragma once

#include <utility>

#include "vitcl/backend/buffer.hpp"

namespace vitcl::ops {

/// Pieces of a workspace, one behind the other, each where a buffer can begin.
class Scratch {
 public:
  Scratch(Buffer memory, size_t alignment) : memory_(std::move(memory)), alignment_(alignment) {}
  Buffer take(size_t bytes) {
    Buffer piece = memory_.slice(used_, bytes);
    used_ = align_up(used_ + bytes, alignment_);
    return piece;
  }
  /// Bytes behind what is taken.
  size_t left() const { return used_ < memory_.bytes() ? memory_.bytes() - used_ : 0; }

 private:
  Buffer memory_;
  size_t alignment_, used_ = 0;
};

}  // namespace vitcl::ops
