#include "vitcl/tensor/tensor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vitcl/backend/error.hpp"
#include "vitcl/tensor/half.hpp"

namespace vitcl {
namespace {

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, int32_t>) return DType::i32;
  return DType::u8;
}

template <class T>
bool holds(const Tensor& tensor) {
  return tensor.dtype() == dtype_of<T>() || (std::is_same_v<T, float> && tensor.dtype() == DType::f16);
}

}  // namespace

size_t size_of(DType dtype) {
  if (dtype == DType::f16) return 2;
  return dtype == DType::u8 ? 1 : 4;
}

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
    case DType::f16:
      return "f16";
  }
  return "?";
}

Tensor::Tensor(Buffer buffer, Shape shape, DType dtype)
    : buffer_(std::move(buffer)), shape_(std::move(shape)), dtype_(dtype) {
  if (bytes() > buffer_.bytes()) {
    throw ShapeError(fmt::format("[tensor] {} of {} needs {} bytes, the buffer has {}", shape_.to_string(),
                                 to_string(dtype_), bytes(), buffer_.bytes()));
  }
}

Tensor Tensor::empty(Device& device, Shape shape, DType dtype) {
  const size_t bytes = shape.elements() * size_of(dtype);
  return {device.allocate(bytes), std::move(shape), dtype};
}

Tensor Tensor::reshaped(Shape shape) const {
  if (shape.elements() != elements()) {
    throw ShapeError(fmt::format("[tensor] {} can't be seen as {}", shape_.to_string(), shape.to_string()));
  }
  return {buffer_, std::move(shape), dtype_};
}

template <class T>
void upload(Queue& queue, std::span<const T> values, const Tensor& tensor) {
  if (values.size() != tensor.elements() || !holds<T>(tensor)) {
    throw ShapeError(fmt::format("[upload] {} values of {} for a tensor {} of {}", values.size(),
                                 to_string(dtype_of<T>()), tensor.shape().to_string(), to_string(tensor.dtype())));
  }
  if (tensor.dtype() != DType::f16) return queue.write(tensor.buffer(), values.data(), values.size_bytes());
  std::vector<uint16_t> halves(values.size());
  std::ranges::transform(values, halves.begin(), [](T value) { return to_half(static_cast<float>(value)); });
  queue.write(tensor.buffer(), halves.data(), tensor.bytes());
}

template <class T>
std::vector<T> download(Queue& queue, const Tensor& tensor) {
  if (!holds<T>(tensor)) {
    throw ShapeError(fmt::format("[download] the tensor holds {}, {} is wanted", to_string(tensor.dtype()),
                                 to_string(dtype_of<T>())));
  }
  std::vector<T> values(tensor.elements());
  if (tensor.dtype() != DType::f16) {
    queue.read(tensor.buffer(), values.data(), values.size() * sizeof(T));
    return values;
  }
  std::vector<uint16_t> halves(values.size());
  queue.read(tensor.buffer(), halves.data(), tensor.bytes());
  std::ranges::transform(halves, values.begin(), [](uint16_t half) { return static_cast<T>(from_half(half)); });
  return values;
}

template void upload(Queue&, std::span<const float>, const Tensor&);
template void upload(Queue&, std::span<const int32_t>, const Tensor&);
template void upload(Queue&, std::span<const uint8_t>, const Tensor&);
template std::vector<float> download(Queue&, const Tensor&);
template std::vector<int32_t> download(Queue&, const Tensor&);
template std::vector<uint8_t> download(Queue&, const Tensor&);

}  // namespace vitcl
