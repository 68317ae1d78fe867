#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <string_view>

#include "vitcl/backend/error.hpp"
#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

// What the ops ask of their arguments. All throw ShapeError, starting with the op's name.
namespace vitcl::ops {

/// `tensor` has at least one element.
inline void expect_filled(std::string_view op, std::string_view name, const Tensor& tensor) {
  if (tensor.elements() > 0) return;
  throw ShapeError(fmt::format("[{}] {} is {} but every size must be 1 or more", op, name, tensor.shape().to_string()));
}

/// `tensor` has `rank` axes, none of them empty.
inline void expect_rank(std::string_view op, std::string_view name, const Tensor& tensor, size_t rank) {
  if (tensor.shape().rank() == rank && tensor.elements() > 0) return;
  throw ShapeError(fmt::format("[{}] {} is {} but must have {} ax{}, each of size 1 or more", op, name,
                               tensor.shape().to_string(), rank, rank == 1 ? "is" : "es"));
}

/// `tensor` has exactly the shape `wanted` and holds `dtype`; `reason` ends the message: "to fit x".
inline void expect_shape(std::string_view op, std::string_view name, const Tensor& tensor, const Shape& wanted,
                         std::string_view reason, DType dtype = DType::f32) {
  if (tensor.shape() == wanted && tensor.dtype() == dtype) return;
  throw ShapeError(fmt::format("[{}] {} is {} {} but must be {} {} {}", op, name, tensor.shape().to_string(),
                               to_string(tensor.dtype()), wanted.to_string(), to_string(dtype), reason));
}

/// What the activations in `tensor` are kept in: f32, or f16.
inline DType storage_of(std::string_view op, std::string_view name, const Tensor& tensor) {
  if (tensor.dtype() == DType::f32 || tensor.dtype() == DType::f16) return tensor.dtype();
  throw ShapeError(fmt::format("[{}] {} is {} {} but must be f32 or f16", op, name, tensor.shape().to_string(),
                               to_string(tensor.dtype())));
}

/// `tensor`, of any shape, has room for `bytes`: scratch memory.
inline void expect_bytes(std::string_view op, std::string_view name, const Tensor& tensor, size_t bytes) {
  if (tensor.bytes() >= bytes) return;
  throw ShapeError(fmt::format("[{}] {} holds {} bytes but {} are needed", op, name, tensor.bytes(), bytes));
}

/// `tensor` is (n) i32, n at least 1.
inline void expect_numbers(std::string_view op, std::string_view name, const Tensor& tensor) {
  expect_rank(op, name, tensor, 1);
  expect_shape(op, name, tensor, tensor.shape(), "as it holds whole numbers", DType::i32);
}

/// An epoch's number (1) i32 and the order (n) i32 of its samples.
inline void expect_epoch(std::string_view op, const Tensor& epoch, const Tensor& order) {
  expect_shape(op, "epoch", epoch, {1}, "to hold one number", DType::i32);
  expect_numbers(op, "order", order);
}

/// A step table (steps, 4) with its cursor (1) i32; see adam.hpp.
inline void expect_step(std::string_view op, const Tensor& table, const Tensor& cursor) {
  expect_rank(op, "table", table, 2);
  expect_shape(op, "table", table, {table.shape()[0], 4}, "to hold step entries", table.dtype());
  expect_shape(op, "cursor", cursor, {1}, "to name one step", DType::i32);
}

/// A size as the int that kernels index with.
inline int32_t to_int(std::string_view op, std::string_view name, size_t size) {
  if (size <= static_cast<size_t>(std::numeric_limits<int32_t>::max())) return static_cast<int32_t>(size);
  throw ShapeError(
      fmt::format("[{}] {} is {} but at most {} can be handled", op, name, size, std::numeric_limits<int32_t>::max()));
}

/// GradMode as the kernels take it: 1 adds to what is there.
inline int32_t accumulates(GradMode mode) { return mode == GradMode::accumulate ? 1 : 0; }

}  // namespace vitcl::ops
