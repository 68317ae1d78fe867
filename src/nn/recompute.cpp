#include "nn/recompute.hpp"

#include <algorithm>

namespace vitcl::nn {
namespace {

std::vector<size_t> cuts_within(size_t bound, const std::vector<size_t>& points, const Schedule& plain) {
  std::vector<size_t> cuts;
  size_t segment = 0, node = 0;
  for (const size_t point : points) {
    for (; node <= point; ++node) segment += plain.saved_bytes(node);
    if (segment < bound) continue;
    cuts.push_back(point);
    segment = 0;
  }
  return cuts;
}

}  // namespace

std::vector<size_t> cut_points(const Graph& graph) {
  const auto& nodes = graph.nodes();
  std::vector<size_t> last_reader(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const size_t input : nodes[i].inputs) last_reader[input] = i;
  }
  std::vector<size_t> points;
  size_t reach = 0;  // the last reader of what lies before node i
  for (size_t i = 0; i + 1 < nodes.size(); ++i) {
    if (!nodes[i].layer) continue;
    if (reach <= i) points.push_back(i);
    if (!graph.keeps(i)) reach = std::max(reach, last_reader[i]);
  }
  return points;
}

std::vector<std::vector<size_t>> possible_cuts(const Graph& graph, const Schedule& plain) {
  const std::vector<size_t> points = cut_points(graph);
  size_t saved = 0;
  for (size_t i = 0; i < plain.nodes.size(); ++i) saved += plain.saved_bytes(i);
  std::vector<std::vector<size_t>> all;
  for (size_t segments = 2; segments <= points.size() + 1; ++segments) {
    auto cuts = cuts_within(saved / segments, points, plain);
    if (all.empty() || cuts != all.back()) all.push_back(std::move(cuts));
  }
  return all;
}

}  // namespace vitcl::nn
