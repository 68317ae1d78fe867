#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vitcl/tensor/shape.hpp"

namespace vitcl::io {

/// The element types of stored tensors, those of the safetensors format; from u64 on they are only carried along.
enum class StoredType { f64, i64, f32, i32, f16, bf16, u8, boolean, u64, u32, u16, i16, i8, f8_e5m2, f8_e4m3 };
constexpr StoredType last_stored_type = StoredType::f8_e4m3;
size_t size_of(StoredType type);
/// The format's own name: "F32".
std::string_view to_string(StoredType type);

/// A row-major array in host memory as a file stores it, little-endian.
struct HostTensor {
  StoredType type = StoredType::f32;
  Shape shape;
  std::vector<uint8_t> bytes;

  /// Copies `values`, as many as the shape has elements; throws ShapeError otherwise.
  static HostTensor from(Shape shape, std::span<const float> values);
  static HostTensor from(Shape shape, std::span<const int32_t> values);
  static HostTensor from(Shape shape, std::span<const uint8_t> values);
  bool operator==(const HostTensor&) const = default;
};

using HostTensors = std::map<std::string, HostTensor>;

// The values of a stored tensor. A type that can't be meant throws StorageError; `name` is for its text.

/// F32 as it is; F64, F16 and BF16 converted.
std::vector<float> to_floats(const HostTensor& tensor, const std::string& name);
/// I32 as it is; I64 where every value fits.
std::vector<int32_t> to_ints(const HostTensor& tensor, const std::string& name);
/// U8 or BOOL.
std::vector<uint8_t> to_bytes(const HostTensor& tensor, const std::string& name);

/// Throws StorageError naming the tensor, the element and its value where one is NaN or infinite. `what` begins the
/// text: "the checkpoint run/checkpoint-last.safetensors".
void require_finite(const std::map<std::string, std::vector<float>>& tensors, const std::string& what);

}  // namespace vitcl::io
