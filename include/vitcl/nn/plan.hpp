#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "vitcl/nn/graph.hpp"
#include "vitcl/nn/parameters.hpp"

namespace vitcl::nn {

enum class Mode { inference, training };

/// What activations, from layer to layer and from forward to backward, and their gradients are kept in. Everything is
/// computed in float32. Under `mixed` they are f16, and float32 stay: inputs, kept values and what the loss reads, all
/// of which must be a Linear's or the loss's own; parameters and their gradients; what layers save besides (norms'
/// statistics, log-sum-exps).
enum class Precision { float32, mixed };

/// By what the gradient of a mean loss over `samples` samples is multiplied under Precision::mixed, so that it does not
/// underflow: 1024 times the largest power of two up to `samples`. docs/precision.md tells why.
float loss_scale(size_t samples);

/// How a plan runs its graph.
struct PlanOptions {
  Mode mode = Mode::inference;
  /// Whether a training run overwrites the parameters' gradients or adds to them.
  GradMode parameter_mode = GradMode::overwrite;
  /// In training: keep few activations from forward to backward and run forward again, piece by piece, for the others.
  /// The same bits in less memory and more time; no effect where it would save nothing.
  bool recompute = false;
  /// Rewrite groups of layers into fused ones and leave out rows that nobody reads. The same function, rounded in
  /// another order.
  bool fuse = true;
  /// Sum the parameters' gradients over so many parts of the batch, a power of two, and then in a binary tree over the
  /// parts (ops/parts.hpp): the same bits as plans of the parts alone and the same tree. 0: whatever is fastest.
  size_t parts = 0;
  /// Mixed training multiplies the loss by loss_scale() and divides the parameters' gradients by it, exactly.
  Precision precision = Precision::float32;
};

/// One node of a graph at a batch size, for reports.
struct NodeReport {
  std::string name, kind;
  Shape output;
  size_t parameters = 0;  ///< trainable elements
  double forward_flops = 0, backward_flops = 0;
  size_t saved_bytes = 0;  ///< activations and saved state that live from forward to backward
};

/// What a graph takes at a batch size.
struct GraphReport {
  std::vector<NodeReport> nodes;
  size_t parameters = 0;
  double forward_flops = 0, backward_flops = 0;
  size_t saved_bytes = 0;
  size_t planned_bytes = 0;     ///< inputs, and the arena: activations, gradients and scratch, with reuse
  size_t unplanned_bytes = 0;   ///< the same without reuse
  double recomputed_flops = 0;  ///< of the layers whose forward runs a second time
};
/// Of the graph as it runs: with PlanOptions::fuse its nodes are the fused ones.
GraphReport report(const Graph& graph, const DeviceCaps& caps, size_t batch, const PlanOptions& options);

/// The largest batch whose arena fits in the device's memory and its largest allocation; 0 if none does.
size_t largest_batch(const Graph& graph, const DeviceCaps& caps, const PlanOptions& options);

/// A graph compiled for a device and a batch size: shapes inferred, memory planned in one arena, and every launch
/// recorded with its arguments set. Plans of several batch sizes share the parameters and the compiled kernels.
class Plan {
 public:
  /// `parameters` must outlive the plan. In training mode the graph needs a loss, and run() leaves the gradients in
  /// parameters.gradients(), overwritten or accumulated.
  /// Throws DeviceError with the bytes needed and the batch that would fit where the arena is too large, and where
  /// mixed precision is asked of a device without cl_khr_fp16.
  Plan(const Graph& plain, Parameters& parameters, Queue& queue, size_t batch, const PlanOptions& options);

  size_t batch() const { return batch_; }
  /// What inputs, activations, gradients and scratch take together, and what they would take without reuse.
  size_t planned_bytes() const { return planned_bytes_; }
  size_t unplanned_bytes() const { return unplanned_bytes_; }
  /// An input, or a value that the graph keeps.
  const Tensor& tensor(const std::string& node) const;
  /// A tensor that a kept layer saves ("loss", "correct").
  const Tensor& saved(const std::string& node, const std::string& name) const;
  /// Enqueues forward, and backward in training mode. Waits for nothing.
  void run();

 private:
  Queue* queue_;
  size_t batch_ = 0;
  size_t planned_bytes_ = 0, unplanned_bytes_ = 0;
  std::map<std::string, Tensor> tensors_;  // inputs, kept values, and what kept layers save ("loss/correct")
  CommandList commands_;
};

}  // namespace vitcl::nn
