#include "vitcl/nn/graph.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vitcl/backend/error.hpp"

namespace vitcl::nn {

Value Graph::input(std::string name, Shape sample_shape, DType dtype) {
  const Value value = add(std::move(name), nullptr, {});
  nodes_.back().sample_shape = std::move(sample_shape);
  nodes_.back().dtype = dtype;
  keep(value);
  return value;
}

Value Graph::add(std::string name, std::shared_ptr<const Layer> layer, const std::vector<Value>& inputs) {
  std::vector<std::string> parameters;
  if (layer) {
    for (const auto& spec : layer->parameters()) parameters.push_back(name + "." + spec.name);
  }
  return add(std::move(name), std::move(layer), inputs, std::move(parameters));
}

Value Graph::add(std::string name, std::shared_ptr<const Layer> layer, const std::vector<Value>& inputs,
                 std::vector<std::string> parameters) {
  if (std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& node) { return node.name == name; })) {
    throw UsageError(fmt::format("[graph] two nodes are called \"{}\"", name));
  }
  Node node{std::move(name), std::move(layer), {}, std::move(parameters), {}};
  for (const Value input : inputs) {
    if (input.id >= nodes_.size()) throw UsageError(fmt::format("[graph] {} has an input of another graph", node.name));
    node.inputs.push_back(input.id);
  }
  nodes_.push_back(std::move(node));
  return {nodes_.size() - 1};
}

void Graph::keep(Value value) { keep(value, nodes_.at(value.id).name); }

void Graph::keep(Value value, std::string name) { kept_.push_back({value.id, std::move(name)}); }

bool Graph::keeps(size_t id) const {
  return std::any_of(kept_.begin(), kept_.end(), [&](const auto& kept) { return kept.id == id; });
}

void Graph::set_loss(Value value) {
  loss_ = value.id;
  keep(value);
}

size_t Graph::find(const std::string& name) const {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& node) { return node.name == name; });
  if (found == nodes_.end()) throw UsageError(fmt::format("[graph] there is no node \"{}\"", name));
  return static_cast<size_t>(found - nodes_.begin());
}

std::vector<ParameterSpec> Graph::parameters() const {
  std::vector<ParameterSpec> all;
  for (const auto& node : nodes_) {
    if (!node.layer) continue;
    size_t k = 0;
    for (auto& spec : node.layer->parameters()) {
      spec.name = node.parameters[k++];
      all.push_back(std::move(spec));
    }
  }
  return all;
}

}  // namespace vitcl::nn
