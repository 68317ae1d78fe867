#pragma once

#include "vitcl/nn/graph.hpp"
#include "vitcl/nn/plan.hpp"

namespace vitcl::nn {

/// The graph rewritten so that it computes the same inputs, kept values, loss and parameters' gradients with less work:
///   - encoder blocks become one layer where the device and the shape allow it (ops/encoder_block.hpp);
///   - rows of which only the first of each sample is read (ClsPool) are not computed: a pool moves up through layers
///     that work row by row, as far as nobody else reads the other rows.
/// Throws ShapeError where layers don't fit together.
Graph fuse(const Graph& graph, const DeviceCaps& caps, Precision precision = Precision::float32);

/// The graph as it runs: fused, and with layers that sum over the parts of a batch, where the options say so.
Graph rewritten(const Graph& graph, const DeviceCaps& caps, const PlanOptions& options);

}  // namespace vitcl::nn
