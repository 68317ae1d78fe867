#include "onnx_graph.hpp"

namespace vitcl::io {
namespace {

// Field numbers are those of onnx.proto; these are its element and attribute types.
constexpr int64_t float_elements = 1, int64_elements = 7;
constexpr int64_t float_attribute = 1, int_attribute = 2, ints_attribute = 7;

template <class T>
Message tensor(const std::string& name, const OnnxGraph::Sizes& sizes, int64_t type, std::span<const T> values) {
  static_assert(std::endian::native == std::endian::little);
  Message message;
  for (const int64_t size : sizes) message.number(1, size);
  message.number(2, type).part(8, name);
  const std::span<const std::byte> bytes = std::as_bytes(values);
  return message.part(9, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Message attribute(const OnnxGraph::Attribute& attribute) {
  Message message;
  message.part(1, attribute.name);
  if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
    message.number(3, *integer).number(20, int_attribute);
  } else if (const auto* real = std::get_if<float>(&attribute.value)) {
    message.real(2, *real).number(20, float_attribute);
  } else {
    for (const int64_t number : std::get<OnnxGraph::Sizes>(attribute.value)) message.number(8, number);
    message.number(20, ints_attribute);
  }
  return message;
}

}  // namespace

Message OnnxGraph::value(const std::string& name, const Sizes& others) {
  Message shape;
  shape.part(1, Message().part(2, "batch"));
  for (const int64_t size : others) shape.part(1, Message().number(1, size));
  return Message().part(1, name).part(2, Message().part(1, Message().number(1, float_elements).part(2, shape)));
}

std::string OnnxGraph::constant(const std::string& name, const Sizes& sizes, std::span<const float> values) {
  graph_.part(5, tensor(name, sizes, float_elements, values));
  return name;
}

std::string OnnxGraph::constant(const Sizes& sizes, std::span<const int64_t> values) {
  std::string name = next();
  graph_.part(5, tensor(name, sizes, int64_elements, values));
  return name;
}

std::string OnnxGraph::add(std::string_view op, const std::vector<std::string>& inputs,
                           const std::vector<Attribute>& attributes, std::string name) {
  if (name.empty()) name = next();
  Message node;
  for (const std::string& input : inputs) node.part(1, input);
  node.part(2, name).part(3, name).part(4, op);
  for (const Attribute& each : attributes) node.part(5, attribute(each));
  graph_.part(1, node);
  return name;
}

std::string OnnxGraph::model(const std::map<std::string, std::string>& metadata) const {
  constexpr int64_t format = 8, operators = 17;  // of ONNX 1.12 and later
  Message graph = graph_;
  graph.part(2, "vit");
  Message model;
  model.number(1, format).part(2, "vitcl").part(7, graph);
  model.part(8, Message().part(1, "").number(2, operators));
  for (const auto& [key, text] : metadata) model.part(14, Message().part(1, key).part(2, text));
  return model.bytes();
}

}  // namespace vitcl::io
