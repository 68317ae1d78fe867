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

/// One node of a schedule.
struct ScheduledNode {
  Shape shape;
  LayerPlan plan;
  std::optional<Slot> value;  ///< none for an input, which has memory of its own
  std::vector<Slot> saved;
  std::optional<Slot> forward_workspace, backward_workspace;
  bool runs_backward = false;
  std::optional<Slot> gradient;  ///< of the output; none for the loss
  std::vector<InputGradient> input_gradients;
};

/// Everything about a graph at a batch size that can be known without a device: shapes, who writes which gradient how,
/// and when each piece of memory is needed. Forward of node i happens at step i, its backward at step 2n - 1 - i.
struct Schedule {
  std::vector<ScheduledNode> nodes;
  std::vector<Allocation> slots;
  MemoryPlan memory;
  size_t input_bytes = 0;

  size_t total_bytes() const { return memory.total + input_bytes; }
  bool fits(const DeviceCaps& caps) const;
};

/// Throws ShapeError where layers don't fit together, UsageError where training lacks a loss.
Schedule make_schedule(const Graph& graph, const DeviceCaps& caps, size_t batch, Mode mode);

}  // namespace vitcl::nn
