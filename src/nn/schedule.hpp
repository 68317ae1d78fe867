#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "nn/memory_plan.hpp"
#include "vitcl/nn/graph.hpp"
#include "vitcl/nn/plan.hpp"

namespace vitcl::nn {

/// A piece of memory that a schedule uses: an index into Schedule::slots.
using Slot = size_t;

/// How a backward pass writes one input's gradient. No slot: nobody wants it, or it is the output's gradient itself.
struct InputGradient {
  std::optional<Slot> slot;
  GradMode mode = GradMode::overwrite;
};

/// What one run of a layer's forward leaves.
struct Results {
  std::optional<Slot> value;  ///< none for an input, which has memory of its own
  std::vector<Slot> saved;
};

/// One node of a schedule.
struct ScheduledNode {
  Shape shape;
  DType dtype = DType::f32;  ///< of the output and its gradient
  LayerPlan plan;
  Results forward;   ///< what forward leaves
  Results backward;  ///< what backward reads: the same, or what a second forward leaves
  bool runs_backward = false;
  size_t backward_parts = 0;     ///< of the batch, through which backward is run one by one; 0: whole
  std::optional<Slot> gradient;  ///< of the output; none for the loss
  std::vector<InputGradient> input_gradients;
};

/// A layer's forward, its second forward whose results only backward reads, or its backward.
enum class Pass { forward, again, backward };

struct Step {
  Pass pass;
  size_t node;
  std::optional<Slot> workspace;
};

/// Everything about a graph at a batch size that can be known without a device: shapes, the order of the launches, who
/// writes which gradient how, and when each piece of memory is needed.
struct Schedule {
  std::vector<ScheduledNode> nodes;
  std::vector<Step> steps;
  size_t forward_steps = 0;  ///< how many of the steps, the first ones, are the forward pass
  std::vector<Allocation> slots;
  MemoryPlan memory;
  size_t input_bytes = 0;

  size_t total_bytes() const { return memory.total + input_bytes; }
  /// What would be needed if no memory were used twice.
  size_t bytes_without_reuse() const;
  /// What a node's forward leaves for longer than the forward pass.
  size_t saved_bytes(size_t node) const;
  /// Of the layers whose forward runs a second time.
  double recomputed_flops() const;
  bool fits(const DeviceCaps& caps) const;
};

/// Bytes of a node's output, and of its gradient.
inline size_t output_bytes(const ScheduledNode& node) { return node.shape.elements() * size_of(node.dtype); }

/// Throws ShapeError where layers don't fit together, UsageError where training lacks a loss.
Schedule make_schedule(const Graph& graph, const DeviceCaps& caps, size_t batch, const PlanOptions& options);

}  // namespace vitcl::nn
