#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace vitcl::io {

/// A message in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding), built field by
/// field. A field that repeats is written several times.
class Message {
 public:
  Message& number(uint32_t field, int64_t value) {
    varint(field << 3U);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& real(uint32_t field, float value) {
    varint(field << 3U | 5U);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (uint32_t shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xFFU);
    return *this;
  }
  /// Text, bytes or another message.
  Message& part(uint32_t field, std::string_view bytes) {
    varint(field << 3U | 2U);
    varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  Message& part(uint32_t field, const Message& message) { return part(field, message.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    for (; value > 0x7F; value >>= 7U) bytes_ += static_cast<char>((value & 0x7FU) | 0x80U);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

}  // namespace vitcl::io
