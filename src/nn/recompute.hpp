#pragma once

#include <cstddef>
#include <vector>

#include "nn/schedule.hpp"

// Activation checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): the graph is cut into
// segments, of which only the last node's value outlives the forward pass. Before the backward of a segment its
// forward runs again.
namespace vitcl::nn {

/// The nodes through which all that later nodes read from earlier ones passes, but for values that stay anyway: inputs
/// and what the graph keeps. In a ViT these are, among others, the residual stream before and behind each MLP.
std::vector<size_t> cut_points(const Graph& graph);

/// Ways to cut a graph, from few segments to many: at a cut point as soon as what `plain`, its schedule without cuts,
/// saves in the segment exceeds a bound. Each way is the rising ids of the segments' last nodes, without the very last.
std::vector<std::vector<size_t>> possible_cuts(const Graph& graph, const Schedule& plain);

}  // namespace vitcl::nn
