#pragma once

#include "vitcl/nn/layer.hpp"
#include "vitcl/ops/attention.hpp"
#include "vitcl/ops/unfold.hpp"

namespace vitcl::nn {

/// y = x Wᵀ + b over the last axis.  x: (B, ..., in) -> (B, ..., out). Parameters: weight (out, in), bias (out).
/// Both start uniform in ±1/sqrt(in), as PyTorch's Linear does.
class Linear final : public Layer {
 public:
  Linear(size_t in, size_t out, bool bias = true);
  size_t out() const { return out_; }
  bool bias() const { return bias_; }
  std::string kind() const override { return "Linear"; }
  bool row_wise() const override { return true; }
  std::vector<ParameterSpec> parameters() const override;
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  size_t in_, out_;
  bool bias_;
};

/// Layer normalisation over the last axis. Parameters: weight (dim) of ones, bias (dim) of zeros.
class LayerNorm final : public Layer {
 public:
  explicit LayerNorm(size_t dim, float epsilon = 1e-5F);
  float epsilon() const { return epsilon_; }
  std::string kind() const override { return "LayerNorm"; }
  bool row_wise() const override { return true; }
  std::vector<ParameterSpec> parameters() const override;
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  size_t dim_;
  float epsilon_;
};

/// The exact GELU, elementwise.
class Gelu final : public Layer {
 public:
  std::string kind() const override { return "GELU"; }
  bool row_wise() const override { return true; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;
};

/// The residual connection: the sum of two values of one shape.
class Add final : public Layer {
 public:
  std::string kind() const override { return "Add"; }
  bool row_wise() const override { return true; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;
};

/// Dropout, or stochastic depth, in training: a value and "draws" (B, 4) i32, an input of the graph that keys the
/// random numbers (ops/dropout.hpp) -> the value.
class Dropout final : public Layer {
 public:
  explicit Dropout(ops::DropoutOptions options) : options_(options) {}
  const ops::DropoutOptions& options() const { return options_; }
  std::string kind() const override { return options_.whole_samples ? "DropPath" : "Dropout"; }
  bool row_wise() const override { return true; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  ops::DropoutOptions options_;
};

/// Scaled dot-product attention of packed queries, keys and values: (B, T, 3 dim) -> (B, T, dim). An optional second
/// input is a mask (B, T or T - 1) u8, 1 = visible; where it is one shorter, the first token is always visible. With
/// dropout of the probabilities the last input is "draws", as Dropout has it.
class Attention final : public Layer {
 public:
  Attention(size_t heads, float scale, ops::DropoutOptions dropout = {});
  size_t heads() const { return heads_; }
  float scale() const { return scale_; }
  const ops::DropoutOptions& dropout() const { return dropout_; }
  bool drops() const { return dropout_.rate > 0; }
  std::string kind() const override { return "Attention"; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  ops::AttentionOptions options(const std::vector<Tensor>& inputs) const;
  size_t heads_;
  float scale_;
  ops::DropoutOptions dropout_;
};

/// Cuts images into flattened patches: (B, channels, side, side) -> (B, grid * grid, patch * patch * channels).
class CutPatches final : public Layer {
 public:
  CutPatches(size_t patch, float pad_value);
  std::string kind() const override { return "CutPatches"; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  size_t patch_;
  float pad_value_;
};

/// A convolution over squares of tokens: (B, side * side, in) -> (B, grid * grid, out). Parameters: weight (out, window
/// * window * in), bias (out), drawn as Linear draws its own.
class Convolution final : public Layer {
 public:
  Convolution(size_t in, size_t out, ops::UnfoldOptions options) : in_(in), out_(out), options_(options) {}
  std::string kind() const override { return "Convolution"; }
  std::vector<ParameterSpec> parameters() const override;
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  size_t in_, out_;
  ops::UnfoldOptions options_;
};

/// Prepends the class token, where there is one, and adds the positions: (B, N, dim) -> (B, T, dim), T = N or N + 1.
/// Parameters: positions (T, dim), class_token (dim).
class EmbedTokens final : public Layer {
 public:
  enum class Positions { learned, sincos };
  /// `std`: deviation of learned positions and the class token at first.
  EmbedTokens(size_t patches, size_t dim, bool class_token, Positions positions, float std = 1);
  std::string kind() const override { return "EmbedTokens"; }
  std::vector<ParameterSpec> parameters() const override;
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  size_t patches_, dim_;
  bool class_token_;
  Positions positions_;
  float std_;
};

/// The class token: (B, T, dim) -> (B, dim).
class ClsPool final : public Layer {
 public:
  std::string kind() const override { return "ClsPool"; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;
};

/// The mean of the visible tokens behind the first `leading`: (B, T, dim) -> (B, dim). An optional second input is a
/// mask (B, T - leading) u8.
class MeanPool final : public Layer {
 public:
  explicit MeanPool(size_t leading = 0);
  std::string kind() const override { return "MeanPool"; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  size_t leading_;
};

/// A loss: logits (B, classes) and labels (B) i32 -> (B). Saves "correct" (B) i32 and the logits' gradient. An optional
/// third input are targets (B, classes) to compare with in place of the labels (ops::soft_cross_entropy).
class CrossEntropy final : public Layer {
 public:
  /// The gradient is that of the mean over `mean_over` samples, of which the batch may be a part; 0: over the batch.
  /// Labels are smoothed, targets are not.
  explicit CrossEntropy(float label_smoothing = 0, size_t mean_over = 0);
  std::string kind() const override { return "CrossEntropy"; }
  size_t mean_over(size_t batch) const override { return mean_over_ == 0 ? batch : mean_over_; }
  LayerPlan plan(const DeviceCaps& caps, const std::vector<Shape>& inputs) const override;
  void forward(Queue& queue, const ForwardArgs& args) const override;
  void backward(Queue& queue, const BackwardArgs& args) const override;

 private:
  float label_smoothing_;
  size_t mean_over_;
};

}  // namespace vitcl::nn
