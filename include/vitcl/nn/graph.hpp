#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vitcl/nn/layer.hpp"

namespace vitcl::nn {

/// A value in a graph: an input or a layer's output.
struct Value {
  size_t id;
};

/// A static directed acyclic graph of layers, for any batch size. Values are created in topological order.
class Graph {
 public:
  struct Node {
    std::string name;
    std::shared_ptr<const Layer> layer;  ///< null for an input
    std::vector<size_t> inputs;
    std::vector<std::string> parameters;  ///< full names, in the order of layer->parameters()
    Shape sample_shape;                   ///< inputs only: without the batch axis
    DType dtype = DType::f32;
  };

  struct Kept {
    size_t id;
    std::string name;
  };

  /// A tensor (batch, sample_shape...) that the caller fills before each run. It gets no gradient.
  Value input(std::string name, Shape sample_shape, DType dtype = DType::f32);
  /// Appends a layer. Names are unique; throws UsageError otherwise.
  Value add(std::string name, std::shared_ptr<const Layer> layer, const std::vector<Value>& inputs);
  /// The same for a layer whose parameters have names of their own, not "node.parameter".
  Value add(std::string name, std::shared_ptr<const Layer> layer, const std::vector<Value>& inputs,
            std::vector<std::string> parameters);
  /// Makes a layer of type L in place: add<Linear>("head", {x}, 64, 10).
  template <class L, class... Args>
  Value add(std::string name, const std::vector<Value>& inputs, Args&&... args) {
    return add(std::move(name), std::make_shared<const L>(std::forward<Args>(args)...), inputs);
  }
  /// Keeps this value readable after a run, under the node's name or another; others may have been overwritten.
  void keep(Value value);
  void keep(Value value, std::string name);
  /// Training differentiates the mean of this value; its layer must be a loss. Also kept.
  void set_loss(Value value);

  const std::vector<Node>& nodes() const { return nodes_; }
  /// Inputs and kept values.
  const std::vector<Kept>& kept() const { return kept_; }
  bool keeps(size_t id) const;
  std::optional<size_t> loss() const { return loss_; }
  /// The index of the node of that name. Throws UsageError where there is none.
  size_t find(const std::string& name) const;
  /// All parameters under their full names ("head.weight"), in the order of the nodes.
  std::vector<ParameterSpec> parameters() const;

 private:
  std::vector<Node> nodes_;
  std::vector<Kept> kept_;
  std::optional<size_t> loss_;
};

}  // namespace vitcl::nn
