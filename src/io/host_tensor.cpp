#include "vitcl/io/host_tensor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "vitcl/backend/error.hpp"
#include "vitcl/tensor/half.hpp"

namespace vitcl::io {
namespace {

static_assert(std::endian::native == std::endian::little, "stored tensors are little-endian and copied as they are");

template <class T>
HostTensor copy(StoredType type, Shape shape, std::span<const T> values) {
  if (values.size() != shape.elements())
    throw ShapeError(fmt::format("[host tensor] {} values were given for shape {}", values.size(), shape.to_string()));
  HostTensor tensor{type, std::move(shape), std::vector<uint8_t>(values.size_bytes())};
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}

template <class T>
std::vector<T> elements(const HostTensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(T));
  return values;
}

/// bfloat16: the upper half of a float.
float from_bfloat(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

template <class T, class Convert>
std::vector<float> converted(const HostTensor& tensor, Convert convert) {
  const std::vector<T> values = elements<T>(tensor);
  std::vector<float> floats(values.size());
  std::transform(values.begin(), values.end(), floats.begin(), convert);
  return floats;
}

StorageError wrong_type(const HostTensor& tensor, const std::string& name, const char* wanted) {
  return StorageError(fmt::format("tensor {} is stored as {}, but {} is wanted", name, to_string(tensor.type), wanted));
}

}  // namespace

size_t size_of(StoredType type) {
  constexpr std::array<size_t, 15> sizes{8, 8, 4, 4, 2, 2, 1, 1, 8, 4, 2, 2, 1, 1, 1};
  return sizes.at(static_cast<size_t>(type));
}

std::string_view to_string(StoredType type) {
  constexpr std::array<std::string_view, 15> names{"F64", "I64", "F32", "I32", "F16", "BF16",    "U8",     "BOOL",
                                                   "U64", "U32", "U16", "I16", "I8",  "F8_E5M2", "F8_E4M3"};
  return names.at(static_cast<size_t>(type));
}

HostTensor HostTensor::from(Shape shape, std::span<const float> values) {
  return copy(StoredType::f32, std::move(shape), values);
}
HostTensor HostTensor::from(Shape shape, std::span<const int32_t> values) {
  return copy(StoredType::i32, std::move(shape), values);
}
HostTensor HostTensor::from(Shape shape, std::span<const uint8_t> values) {
  return copy(StoredType::u8, std::move(shape), values);
}

std::vector<float> to_floats(const HostTensor& tensor, const std::string& name) {
  switch (tensor.type) {
    case StoredType::f32:
      return elements<float>(tensor);
    case StoredType::f64:
      return converted<double>(tensor, [](double value) { return static_cast<float>(value); });
    case StoredType::f16:
      return converted<uint16_t>(tensor, from_half);
    case StoredType::bf16:
      return converted<uint16_t>(tensor, from_bfloat);
    default:
      throw wrong_type(tensor, name, "F32 (or F64, F16, BF16)");
  }
}

std::vector<int32_t> to_ints(const HostTensor& tensor, const std::string& name) {
  if (tensor.type == StoredType::i32) return elements<int32_t>(tensor);
  if (tensor.type != StoredType::i64) throw wrong_type(tensor, name, "I32 (or I64)");
  std::vector<int32_t> ints;
  for (const int64_t value : elements<int64_t>(tensor)) {
    if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max())
      throw StorageError(fmt::format("tensor {} holds {}, which does not fit in 32 bits", name, value));
    ints.push_back(static_cast<int32_t>(value));
  }
  return ints;
}

std::vector<uint8_t> to_bytes(const HostTensor& tensor, const std::string& name) {
  if (tensor.type != StoredType::u8 && tensor.type != StoredType::boolean)
    throw wrong_type(tensor, name, "U8 (or BOOL)");
  return tensor.bytes;
}

void require_finite(const std::map<std::string, std::vector<float>>& tensors, const std::string& what) {
  for (const auto& [name, values] : tensors) {
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (bad != values.end())
      throw StorageError(fmt::format("{} holds {} in element {} of tensor {}; finite numbers are wanted", what, *bad,
                                     bad - values.begin(), name));
  }
}

}  // namespace vitcl::io
