#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "vitcl/nn/layer.hpp"

namespace vitcl::nn {

/// Host copies of named tensors.
using NamedTensors = std::map<std::string, std::vector<float>>;

/// A model's parameters on a device: one flat buffer of values and one of gradients, with a table of names. Each
/// parameter starts at an aligned offset; the gaps between them hold zeros. Equal specs and alignment: equal layout.
class Parameters {
 public:
  /// `alignment` in bytes, a multiple of the device's; 0: the device's.
  Parameters(Device& device, std::vector<ParameterSpec> specs, size_t alignment = 0);

  const std::vector<ParameterSpec>& specs() const { return specs_; }
  /// The number of trainable elements.
  size_t trainable_count() const;
  const Tensor& value(const std::string& name) const;
  const Tensor& gradient(const std::string& name) const;
  /// Everything, flat, gaps included.
  const Tensor& values() const { return values_; }
  const Tensor& gradients() const { return gradients_; }

  /// Draws every parameter from its initialiser. The numbers depend on the seed and the parameter's name only.
  void initialize(Queue& queue, uint64_t seed);
  /// Replaces every parameter. Throws StorageError naming what is missing, unknown or of the wrong size; then nothing
  /// has changed.
  void load(Queue& queue, const NamedTensors& tensors);
  /// Host copies of values, or of another flat buffer laid out alike (gradients, Adam's moments).
  NamedTensors save(Queue& queue, const Tensor& flat) const;
  /// Fills another flat buffer laid out alike; the same rules as load().
  void load_into(Queue& queue, const NamedTensors& tensors, const Tensor& flat) const;
  /// Between named tensors and a flat buffer's content on the host; the same rules.
  std::vector<float> join(const NamedTensors& tensors) const;
  NamedTensors split(const std::vector<float>& flat) const;

 private:
  size_t index(const std::string& name) const;
  std::vector<ParameterSpec> specs_;
  std::vector<size_t> offsets_;  // in elements
  std::map<std::string, size_t> index_;
  Tensor values_, gradients_;
  std::vector<Tensor> value_views_, gradient_views_;
};

}  // namespace vitcl::nn
