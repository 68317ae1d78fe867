// What the tests of schedules share.
#pragma once

#include "nn/schedule.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {

inline DeviceCaps caps() {
  DeviceCaps caps;
  caps.type = DeviceType::cpu;
  caps.max_work_group = 1024;
  caps.local_bytes = 32768;
  caps.buffer_alignment = 128;
  return caps;
}

inline const ScheduledNode& node(const Graph& graph, const Schedule& schedule, const std::string& name) {
  return schedule.nodes[graph.find(name)];
}

/// x -> a, x -> b, a + b, loss
inline Graph two_branches() {
  Graph graph;
  const Value input = graph.input("input", {4});
  const Value labels = graph.input("labels", {}, DType::i32);
  const Value x = graph.add<Linear>("x", {input}, size_t{4}, size_t{4});
  const Value a = graph.add<Linear>("a", {x}, size_t{4}, size_t{4});
  const Value b = graph.add<Linear>("b", {x}, size_t{4}, size_t{4});
  const Value sum = graph.add<Add>("sum", {a, b});
  graph.set_loss(graph.add<CrossEntropy>("loss", {sum, labels}));
  return graph;
}

}  // namespace vitcl::nn
