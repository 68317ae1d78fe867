#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "vitcl/backend/device.hpp"
#include "vitcl/tensor/shape.hpp"

namespace vitcl {

enum class DType { f32, i32, u8, f16 };
size_t size_of(DType);
std::string_view to_string(DType);

/// A row-major array on a device. Copies share the memory.
class Tensor {
 public:
  Tensor() = default;
  /// A view of `buffer`, which must hold exactly the shape's bytes or more.
  Tensor(Buffer buffer, Shape shape, DType dtype = DType::f32);
  /// A new tensor with undefined contents.
  static Tensor empty(Device& device, Shape shape, DType dtype = DType::f32);

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  const Buffer& buffer() const { return buffer_; }
  size_t elements() const { return shape_.elements(); }
  size_t bytes() const { return elements() * size_of(dtype_); }
  /// The same memory with another shape of as many elements.
  Tensor reshaped(Shape shape) const;
  explicit operator bool() const { return static_cast<bool>(buffer_); }
  /// Passes as a kernel argument.
  operator KernelArgument() const { return buffer_; }

 private:
  Buffer buffer_;
  Shape shape_;
  DType dtype_ = DType::f32;
};

/// Host copies. `values` must have the tensor's element type and count, float for f16 too; upload rounds to nearest.
/// download waits for the queue.
template <class T>
void upload(Queue& queue, std::span<const T> values, const Tensor& tensor);
template <class T>
std::vector<T> download(Queue& queue, const Tensor& tensor);

}  // namespace vitcl
