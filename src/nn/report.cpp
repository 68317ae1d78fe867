#include <algorithm>

#include "nn/fuse.hpp"
#include "nn/schedule.hpp"
#include "vitcl/nn/plan.hpp"

namespace vitcl::nn {

GraphReport report(const Graph& plain, const DeviceCaps& caps, size_t batch, const PlanOptions& options) {
  const Graph graph = rewritten(plain, caps, options);
  const Schedule schedule = make_schedule(graph, caps, batch, options);
  GraphReport out;
  for (size_t i = 0; i < schedule.nodes.size(); ++i) {
    const auto& node = graph.nodes()[i];
    const auto& scheduled = schedule.nodes[i];
    NodeReport row;
    row.name = node.name;
    row.kind = node.layer ? node.layer->kind() : "input";
    row.output = scheduled.shape;
    if (node.layer) {
      for (const auto& spec : node.layer->parameters()) row.parameters += spec.trainable ? spec.shape.elements() : 0;
    }
    row.forward_flops = scheduled.plan.forward_flops;
    if (scheduled.runs_backward) {
      const bool to_inputs = std::any_of(node.inputs.begin(), node.inputs.end(),
                                         [&](size_t m) { return schedule.nodes[m].runs_backward; });
      row.backward_flops =
          scheduled.plan.parameter_gradient_flops + (to_inputs ? scheduled.plan.input_gradient_flops : 0);
    }
    row.saved_bytes = schedule.saved_bytes(i);
    out.parameters += row.parameters;
    out.forward_flops += row.forward_flops;
    out.backward_flops += row.backward_flops;
    out.saved_bytes += row.saved_bytes;
    out.nodes.push_back(std::move(row));
  }
  out.planned_bytes = schedule.total_bytes();
  out.unplanned_bytes = schedule.bytes_without_reuse();
  out.recomputed_flops = schedule.recomputed_flops();
  return out;
}

size_t largest_batch(const Graph& plain, const DeviceCaps& caps, const PlanOptions& options) {
  const Graph graph = rewritten(plain, caps, options);
  const auto fits = [&](size_t batch) { return make_schedule(graph, caps, batch, options).fits(caps); };
  const size_t least = std::max<size_t>(1, options.parts);
  if (!fits(least)) return 0;
  size_t good = least, bad = 2 * least;
  while (fits(bad)) {
    good = bad;
    bad *= 2;
  }
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    (fits(middle) ? good : bad) = middle;
  }
  return good;
}

}  // namespace vitcl::nn
