#include "vitcl/backend/buffer.hpp"

#include <fmt/format.h>

#include "backend/native.hpp"

namespace vitcl {

std::atomic<size_t>& LiveObject::count() {
  static std::atomic<size_t> objects{0};
  return objects;
}

size_t live_opencl_objects() { return LiveObject::count(); }

Buffer::State::State(cl::Buffer memory_in, size_t bytes_in, size_t offset_in, std::shared_ptr<const State> root_in,
                     std::shared_ptr<MemoryLedger> ledger_in)
    : memory(std::move(memory_in)),
      bytes(bytes_in),
      offset(offset_in),
      root(std::move(root_in)),
      ledger(std::move(ledger_in)) {
  if (!root) {
    ledger->now += bytes;
    ledger->peak = std::max(ledger->peak, ledger->now);
  }
}

Buffer::State::~State() {
  if (!root) ledger->now -= bytes;
}

size_t Buffer::bytes() const { return state_ ? state_->bytes : 0; }

size_t Buffer::offset() const { return state_ ? state_->offset : 0; }

Buffer Buffer::slice(size_t offset, size_t bytes) const {
  if (!state_ || bytes == 0 || offset > state_->bytes || bytes > state_->bytes - offset) {
    throw DeviceError(
        fmt::format("[buffer] a slice of {} bytes at {} leaves the buffer of {} bytes", bytes, offset, this->bytes()));
  }
  const auto& root = state_->root ? state_->root : state_;
  const size_t start = state_->offset + offset;
  const cl_buffer_region region{start, bytes};
  auto memory = checked(fmt::format("a slice of {} bytes at {}", bytes, start), [&] {
    // cl::Buffer::createSubBuffer is not const, though it changes nothing.
    return cl::Buffer(root->memory).createSubBuffer(CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region);
  });
  return Buffer(std::make_shared<const State>(std::move(memory), bytes, start, root, state_->ledger));
}

size_t align_up(size_t bytes, size_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace vitcl
