#include <algorithm>

#include "nn/schedule.hpp"
#include "vitcl/nn/plan.hpp"

namespace vitcl::nn {
GraphReport report(const Graph& graph, const DeviceCaps& caps, size_t batch, Mode mode) {
  const Schedule schedule = make_schedule(graph, caps, batch, mode);
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
    auto slots = scheduled.saved;
    if (scheduled.value) slots.push_back(*scheduled.value);
    for (const Slot slot : slots) {
      const auto& allocation = schedule.slots[slot];
      if (allocation.last >= schedule.nodes.size()) row.saved_bytes += allocation.bytes;
    }
    out.parameters += row.parameters;
    out.forward_flops += row.forward_flops;
    out.backward_flops += row.backward_flops;
    out.saved_bytes += row.saved_bytes;
    out.nodes.push_back(std::move(row));
  }
  out.planned_bytes = schedule.total_bytes();
  out.unplanned_bytes = schedule.input_bytes;
  for (const auto& slot : schedule.slots) out.unplanned_bytes += slot.bytes;
  return out;
}

size_t largest_batch(const Graph& graph, const DeviceCaps& caps, Mode mode) {
  const auto fits = [&](size_t batch) { return make_schedule(graph, caps, batch, mode).fits(caps); };
  if (!fits(1)) return 0;
  size_t good = 1, bad = 2;
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
