#include "nn/fuse.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "nn/encoder_block.hpp"
#include "nn/schedule.hpp"
#include "vitcl/nn/layers.hpp"

namespace vitcl::nn {
namespace {

std::vector<std::vector<size_t>> consumers_of(const Graph& graph) {
  std::vector<std::vector<size_t>> consumers(graph.nodes().size());
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const size_t input : graph.nodes()[i].inputs) consumers[input].push_back(i);
  }
  return consumers;
}

/// A graph that is being built from another, node by node.
class Rewriter {
 public:
  explicit Rewriter(const Graph& from) : from_(from), values_(from.nodes().size()) {}

  void set(size_t old, Value value) { values_[old] = value; }
  Value value(size_t old) const { return values_[old].value(); }
  Graph& graph() { return graph_; }

  std::vector<Value> inputs(size_t old) const {
    std::vector<Value> inputs;
    for (const size_t input : from_.nodes()[old].inputs) inputs.push_back(value(input));
    return inputs;
  }

  void copy(size_t old) { copy(old, inputs(old)); }
  void copy(size_t old, const std::vector<Value>& inputs) {
    const auto& node = from_.nodes()[old];
    set(old, node.layer ? graph_.add(node.name, node.layer, inputs, node.parameters)
                        : graph_.input(node.name, node.sample_shape, node.dtype));
  }

  /// Keeps what the old graph keeps; its inputs are kept already.
  Graph finish() {
    for (const auto& [id, name] : from_.kept()) {
      if (from_.nodes()[id].layer && from_.loss() != id) graph_.keep(value(id), name);
    }
    if (from_.loss()) graph_.set_loss(value(*from_.loss()));
    return std::move(graph_);
  }

 private:
  const Graph& from_;
  Graph graph_;
  std::vector<std::optional<Value>> values_;
};

/// The nodes of an encoder block, found from its last one.
struct Block {
  size_t x, norm1, qkv, attention, projection, residual, norm2, up, gelu, down, end;
  std::optional<size_t> attention_path, mlp_path;  // both or none
  std::optional<size_t> draws;                     // where anything is dropped
  std::vector<size_t> inside() const {
    std::vector<size_t> nodes = {norm1, qkv, attention, projection, residual, norm2, up, gelu, down};
    if (mlp_path) nodes.insert(nodes.end(), {*attention_path, *mlp_path});
    return nodes;
  }
};

class BlockFinder {
 public:
  explicit BlockFinder(const Graph& graph) : graph_(graph), consumers_(consumers_of(graph)) {}

  std::optional<Block> ending_at(size_t end) const {
    Block b{};
    b.end = end;
    const auto attention = [&](size_t x, size_t projection) { return ends_attention(b, x, projection); };
    const auto mlp = [&](size_t residual, size_t down) {
      return ends_mlp(b, residual, down) && either_order(residual, attention);
    };
    const bool found = either_order(end, mlp) && drops_alike(b) && alone(b) && same_epsilon(b);
    return found ? std::optional(b) : std::nullopt;
  }

 private:
  template <class L>
  const L* layer(size_t i) const {
    return dynamic_cast<const L*>(graph_.nodes()[i].layer.get());
  }
  template <class L>
  bool is(size_t i) const {
    return layer<L>(i) != nullptr;
  }
  bool is_biased_linear(size_t i) const { return is<Linear>(i) && layer<Linear>(i)->bias(); }
  size_t input(size_t i) const { return graph_.nodes()[i].inputs[0]; }

  // Whether `sum` adds two values that `match` takes, in one order or the other.
  template <class Match>
  bool either_order(size_t sum, const Match& match) const {
    if (!is<Add>(sum)) return false;
    const auto& inputs = graph_.nodes()[sum].inputs;
    return match(inputs[0], inputs[1]) || match(inputs[1], inputs[0]);
  }

  // What stochastic depth drops, if it does: then `path` is set.
  size_t branch(std::optional<size_t>& path, size_t end) const {
    const auto* dropout = layer<Dropout>(end);
    path = dropout != nullptr && dropout->options().whole_samples ? std::optional(end) : std::nullopt;
    return path ? input(end) : end;
  }

  bool ends_mlp(Block& b, size_t residual, size_t end) const {
    const size_t down = branch(b.mlp_path, end);
    b.residual = residual, b.down = down;
    return is_biased_linear(down) && is<Gelu>(b.gelu = input(down)) && is_biased_linear(b.up = input(b.gelu)) &&
           is<LayerNorm>(b.norm2 = input(b.up)) && input(b.norm2) == residual;
  }

  bool ends_attention(Block& b, size_t x, size_t end) const {
    const size_t projection = branch(b.attention_path, end);
    b.x = x, b.projection = projection;
    return is_biased_linear(projection) && is<Attention>(b.attention = input(projection)) &&
           is<Linear>(b.qkv = input(b.attention)) && is<LayerNorm>(b.norm1 = input(b.qkv)) && input(b.norm1) == x;
  }

  // One rate for both paths, and the same draws, which come last, for all that is dropped: then `draws` is set.
  bool drops_alike(Block& b) const {
    const auto rate = [&](size_t path) { return layer<Dropout>(path)->options().rate; };
    if (b.attention_path.has_value() != b.mlp_path.has_value()) return false;
    if (b.mlp_path && rate(*b.attention_path) != rate(*b.mlp_path)) return false;
    std::vector<size_t> dropping;
    if (layer<Attention>(b.attention)->drops()) dropping.push_back(b.attention);
    if (b.mlp_path) dropping.insert(dropping.end(), {*b.attention_path, *b.mlp_path});
    const auto draws = [&](size_t i) { return graph_.nodes()[i].inputs.back(); };
    if (!dropping.empty()) b.draws = draws(dropping.front());
    return std::ranges::all_of(dropping, [&](size_t i) { return draws(i) == b.draws; });
  }

  // Nobody outside reads what lies inside.
  bool alone(const Block& b) const {
    const auto inside = b.inside();
    return std::ranges::all_of(
        inside, [&](size_t i) { return !graph_.keeps(i) && consumers_[i].size() == (i == b.residual ? 2 : 1); });
  }
  bool same_epsilon(const Block& b) const {
    return layer<LayerNorm>(b.norm1)->epsilon() == layer<LayerNorm>(b.norm2)->epsilon();
  }

  const Graph& graph_;
  std::vector<std::vector<size_t>> consumers_;
};

std::shared_ptr<const EncoderBlock> block_layer(const Graph& graph, const Block& b, std::vector<std::string>& names) {
  const auto& nodes = graph.nodes();
  const auto& attention = dynamic_cast<const Attention&>(*nodes[b.attention].layer);
  EncoderBlock::Config config{attention.heads(),
                              dynamic_cast<const Linear&>(*nodes[b.up].layer).out(),
                              attention.scale(),
                              dynamic_cast<const LayerNorm&>(*nodes[b.norm1].layer).epsilon(),
                              dynamic_cast<const Linear&>(*nodes[b.qkv].layer).bias(),
                              {}};
  config.dropout = attention.dropout();
  if (b.mlp_path) {
    const auto& path = dynamic_cast<const Dropout&>(*nodes[*b.attention_path].layer).options();
    config.drop_path = path.rate;
    config.attention_use = path.use;
    config.mlp_use = dynamic_cast<const Dropout&>(*nodes[*b.mlp_path].layer).options().use;
  }
  for (const size_t i : {b.norm1, b.qkv, b.projection, b.norm2, b.up, b.down}) {
    for (auto& spec : nodes[i].layer->parameters()) config.parameters.push_back(std::move(spec));
    names.insert(names.end(), nodes[i].parameters.begin(), nodes[i].parameters.end());
  }
  return std::make_shared<const EncoderBlock>(std::move(config));
}

Graph fuse_blocks(const Graph& graph, const DeviceCaps& caps, Precision precision) {
  const Schedule schedule = make_schedule(graph, caps, 1, {.mode = Mode::inference, .precision = precision});
  const BlockFinder finder(graph);
  std::map<size_t, Block> blocks;  // by their last node
  std::vector<bool> inside(graph.nodes().size());
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto block = finder.ending_at(i);
    std::vector<std::string> names;
    if (!block) continue;
    auto shape = block_layer(graph, *block, names)->shape(schedule.nodes[block->x].shape);
    shape.storage = schedule.nodes[block->x].dtype;
    if (ops::refuse_encoder_block(caps, shape)) continue;
    blocks.emplace(i, *block);
    for (const size_t node : block->inside()) inside[node] = true;
  }
  Rewriter rewriter(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (inside[i]) continue;
    const auto found = blocks.find(i);
    if (found == blocks.end()) {
      rewriter.copy(i);
      continue;
    }
    std::vector<std::string> names;
    const auto layer = block_layer(graph, found->second, names);
    // Attention's inputs, with the block's in place of queries, keys and values; and draws.
    std::vector<Value> inputs{rewriter.value(found->second.x)};
    for (const size_t other : std::span(graph.nodes()[found->second.attention].inputs).subspan(1)) {
      if (other != found->second.draws) inputs.push_back(rewriter.value(other));
    }
    if (const auto draws = found->second.draws) inputs.push_back(rewriter.value(*draws));
    rewriter.set(i, rewriter.graph().add(graph.nodes()[i].name, layer, inputs, names));
  }
  return rewriter.finish();
}

// Which values are read in their first rows alone: every reader is a ClsPool, or works row by row and is such a value
// itself.
std::vector<bool> find_first_rows_alone(const Graph& graph) {
  const auto consumers = consumers_of(graph);
  std::vector<bool> first_alone(graph.nodes().size());
  for (size_t i = graph.nodes().size(); i-- > 0;) {
    first_alone[i] = !graph.keeps(i) && !consumers[i].empty() && std::ranges::all_of(consumers[i], [&](size_t reader) {
      const Layer& layer = *graph.nodes()[reader].layer;
      return dynamic_cast<const ClsPool*>(&layer) != nullptr || (layer.row_wise() && first_alone[reader]);
    });
  }
  return first_alone;
}

Graph leave_out_unread_rows(const Graph& graph) {
  const std::vector<bool> first_alone = find_first_rows_alone(graph);
  Rewriter rewriter(graph);
  std::map<size_t, Value> first_rows;  // by the old value
  const auto first_row = [&](size_t old) {
    const auto found = first_rows.find(old);
    if (found != first_rows.end()) return found->second;
    const Value pooled = rewriter.graph().add<ClsPool>(graph.nodes()[old].name + ".first_row", {rewriter.value(old)});
    return first_rows.emplace(old, pooled).first->second;
  };
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto& node = graph.nodes()[i];
    if (dynamic_cast<const ClsPool*>(node.layer.get()) != nullptr && first_rows.contains(node.inputs[0])) {
      rewriter.set(i, first_rows.at(node.inputs[0]));
      continue;
    }
    const auto first_row_only = first_alone[i] && node.layer ? node.layer->first_row_only() : nullptr;
    if (first_row_only) {
      const Value value = rewriter.graph().add(node.name, first_row_only, rewriter.inputs(i), node.parameters);
      first_rows.emplace(i, value);
    } else if (first_alone[i] && node.layer && node.layer->row_wise()) {
      std::vector<Value> inputs;
      for (const size_t input : node.inputs) {  // integers are of samples, not of rows
        inputs.push_back(graph.nodes()[input].dtype == DType::f32 ? first_row(input) : rewriter.value(input));
      }
      first_rows.emplace(i, rewriter.graph().add(node.name, node.layer, inputs, node.parameters));
    } else {
      rewriter.copy(i);
    }
  }
  return rewriter.finish();
}

Graph in_parts(const Graph& graph, size_t parts) {
  Rewriter rewriter(graph);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto& node = graph.nodes()[i];
    const auto layer = node.layer ? node.layer->in_parts(parts) : nullptr;
    if (layer) {
      rewriter.set(i, rewriter.graph().add(node.name, layer, rewriter.inputs(i), node.parameters));
    } else {
      rewriter.copy(i);
    }
  }
  return rewriter.finish();
}

}  // namespace

Graph fuse(const Graph& graph, const DeviceCaps& caps, Precision precision) {
  return leave_out_unread_rows(fuse_blocks(graph, caps, precision));
}

Graph rewritten(const Graph& graph, const DeviceCaps& caps, const PlanOptions& options) {
  Graph fused = options.fuse ? fuse(graph, caps, options.precision) : graph;
  return options.parts > 0 ? in_parts(fused, options.parts) : fused;
}

}  // namespace vitcl::nn
