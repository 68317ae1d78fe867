#include "selftest/guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace vitcl::selftest {
namespace {

constexpr size_t guard_bytes = 256;

/// Byte `index` of an allocation full of the quiet NaN 0x7FC5A5A5 (little endian).
uint8_t guard_byte(size_t index) {
  constexpr std::array<uint8_t, 4> word{0xA5, 0xA5, 0xC5, 0x7F};
  return word[index % word.size()];
}

std::vector<uint8_t> guard_pattern(size_t bytes) {
  std::vector<uint8_t> pattern(bytes);
  for (size_t i = 0; i < bytes; ++i) pattern[i] = guard_byte(i);
  return pattern;
}

}  // namespace

GuardedTensor::GuardedTensor(Device& device, const Shape& shape, DType dtype) : guarded_(!device.caps().interpreter) {
  const size_t bytes = std::max<size_t>(shape.elements() * size_of(dtype), 1);
  if (!guarded_) {
    memory_ = device.allocate(bytes);
    tensor_ = Tensor(memory_, shape, dtype);
    return;
  }
  front_bytes_ = align_up(guard_bytes, device.caps().buffer_alignment);
  memory_ = device.allocate(front_bytes_ + bytes + guard_bytes);
  tensor_ = Tensor(memory_.slice(front_bytes_, bytes), shape, dtype);
  const std::vector<uint8_t> pattern = guard_pattern(memory_.bytes());
  device.queue().write(memory_, pattern.data(), pattern.size());
}

std::optional<std::string> GuardedTensor::violation(Queue& queue) const {
  if (!guarded_) return std::nullopt;
  queue.finish();
  const size_t back = front_bytes_ + tensor_.bytes();
  std::vector<uint8_t> bytes(memory_.bytes());
  queue.read(memory_, bytes.data(), bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i >= front_bytes_ && i < back) continue;
    if (bytes[i] == guard_byte(i)) continue;
    return i < front_bytes_ ? fmt::format("byte {} before the tensor was overwritten", front_bytes_ - i)
                            : fmt::format("byte {} behind the tensor was overwritten", i - back);
  }
  return std::nullopt;
}

void GuardedTensor::poison(Queue& queue) const {
  if (!guarded_ || tensor_.bytes() == 0) return;
  const std::vector<uint8_t> pattern = guard_pattern(tensor_.bytes());
  queue.write(tensor_.buffer(), pattern.data(), pattern.size());
}

}  // namespace vitcl::selftest
