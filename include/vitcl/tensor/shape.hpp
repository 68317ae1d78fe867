#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

namespace vitcl {

/// The sizes of a row-major tensor, outermost first. An empty shape is a scalar.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<size_t> sizes) : sizes_(sizes) {}
  explicit Shape(std::vector<size_t> sizes) : sizes_(std::move(sizes)) {}

  size_t rank() const { return sizes_.size(); }
  size_t operator[](size_t axis) const { return sizes_.at(axis); }
  /// The innermost size; 1 for a scalar.
  size_t last() const { return sizes_.empty() ? 1 : sizes_.back(); }
  /// The number of elements.
  size_t elements() const;
  /// The number of rows when all but the innermost axis are flattened.
  size_t rows() const { return last() == 0 ? 0 : elements() / last(); }
  const std::vector<size_t>& sizes() const { return sizes_; }
  /// "(100, 17, 64)".
  std::string to_string() const;
  bool operator==(const Shape&) const = default;

 private:
  std::vector<size_t> sizes_;
};

}  // namespace vitcl
