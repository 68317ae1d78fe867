#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protobuf.hpp"

namespace vitcl::io {

/// A graph in the format of ONNX (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) with the operators of set 17.
/// Values are named; those of nodes by a number.
class OnnxGraph {
 public:
  using Sizes = std::vector<int64_t>;
  struct Attribute {
    std::string_view name;
    std::variant<int64_t, float, Sizes> value;
  };

  /// f32; the first dimension is any size and called "batch".
  void input(const std::string& name, const Sizes& others) { graph_.part(11, value(name, others)); }
  void output(const std::string& name, const Sizes& others) { graph_.part(12, value(name, others)); }

  // Constants; `sizes` is empty for a scalar.
  std::string constant(const std::string& name, const Sizes& sizes, std::span<const float> values);
  std::string constant(const Sizes& sizes, std::span<const int64_t> values);
  std::string constant(const Sizes& values) { return constant({static_cast<int64_t>(values.size())}, values); }
  std::string scalar(float value) { return constant(next(), {}, std::span(&value, 1)); }
  std::string scalar(int64_t value) { return constant({}, std::span(&value, 1)); }

  /// A node with one output, whose name is returned: `name`, or a number.
  std::string add(std::string_view op, const std::vector<std::string>& inputs,
                  const std::vector<Attribute>& attributes = {}, std::string name = "");

  /// The whole file.
  std::string model(const std::map<std::string, std::string>& metadata) const;

 private:
  static Message value(const std::string& name, const Sizes& others);
  std::string next() { return std::to_string(count_++); }
  Message graph_;
  size_t count_ = 0;
};

}  // namespace vitcl::io
