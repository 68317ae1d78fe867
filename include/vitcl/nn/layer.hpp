#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "vitcl/ops/grad_mode.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl::nn {

using ops::GradMode;

/// How a parameter starts.
enum class Init {
  zeros,
  ones,
  normal,   ///< normal, of deviation scale
  uniform,  ///< uniform in [-scale, scale]
  sincos,   ///< rows of sines and cosines (Vaswani et al. 2017, section 3.5)
};

/// A parameter as its layer declares it. The name is the layer's own ("weight"); the graph puts the node's before it.
struct ParameterSpec {
  std::string name;
  Shape shape;
  Init init = Init::zeros;
  float scale = 1;
  bool trainable = true;
};

/// A tensor that forward writes for backward to read.
struct SavedSpec {
  std::string name;
  Shape shape;
  DType dtype = DType::f32;
};

/// What a layer does with inputs of given shapes; all that the memory planner needs to know.
struct LayerPlan {
  Shape output;
  std::vector<SavedSpec> saved = {};
  /// Nothing but backward reads `saved`: a forward that no backward follows gets none, and its own scratch.
  bool saves_for_backward_only = false;
  size_t unsaved_workspace_bytes = 0;
  bool backward_reads_inputs = false;
  bool backward_reads_output = false;
  /// The gradient of every input is the output's gradient itself, so that they may share memory; backward then gets
  /// empty input gradients and has nothing to do for them.
  bool gradient_passes_through = false;
  size_t workspace_bytes = 0;  ///< scratch, for forward and for backward
  /// Backward itself sums the parameters' gradients over so many parts of the batch; 0: in an order of its own.
  size_t parts = 0;
  double forward_flops = 0;
  double input_gradient_flops = 0;
  double parameter_gradient_flops = 0;
};

struct ForwardArgs {
  std::vector<Tensor> inputs;
  std::vector<Tensor> parameters;
  Tensor output;
  std::vector<Tensor> saved;
  Tensor workspace;
  float loss_scale = 1;  ///< what a loss multiplies its gradient by; a power of two
};

/// Gradients that nobody wants are empty tensors. inputs and output hold values only as LayerPlan asked for, but those
/// that are inputs of the graph always do.
struct BackwardArgs {
  std::vector<Tensor> inputs;
  std::vector<Tensor> parameters;
  Tensor output;
  std::vector<Tensor> saved;
  Tensor workspace;
  Tensor output_gradient;
  std::vector<Tensor> input_gradients;
  std::vector<GradMode> input_modes;
  std::vector<Tensor> parameter_gradients;
  GradMode parameter_mode = GradMode::overwrite;
};

/// A differentiable function with named parameters. Layers are immutable: parameters, activations and saved state are
/// handed to them, so that one layer serves any batch size and device. Every shape's first axis is the batch.
class Layer {
 public:
  virtual ~Layer() = default;
  /// "Linear", as `vitcl model` shows it.
  virtual std::string kind() const = 0;
  virtual std::vector<ParameterSpec> parameters() const { return {}; }
  /// Throws ShapeError where the inputs don't fit.
  virtual LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const = 0;
  /// Of a loss: how many samples its gradient is the mean over.
  virtual size_t mean_over(size_t batch) const { return batch; }
  /// Whether each row of the output depends on the same row of each float input alone, and the first row is computed
  /// from first rows, (B, dim), as from all.
  virtual bool row_wise() const { return false; }
  /// The layer that computes the first row of each sample alone, (B, dim), from the same inputs and parameters; null
  /// where that saves nothing.
  virtual std::shared_ptr<const Layer> first_row_only() const { return nullptr; }
  /// The layer whose backward sums the parameters' gradients over parts of the batch (LayerPlan::parts) itself; null
  /// where it is run part by part.
  virtual std::shared_ptr<const Layer> in_parts(size_t /*parts*/) const { return nullptr; }
  virtual void forward(Queue& queue, const ForwardArgs& args) const = 0;
  virtual void backward(Queue& queue, const BackwardArgs& args) const = 0;
};

}  // namespace vitcl::nn
