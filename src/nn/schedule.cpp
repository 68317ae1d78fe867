#include "nn/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vitcl/backend/error.hpp"

namespace vitcl::nn {
namespace {

class Scheduler {
 public:
  Scheduler(const Graph& graph, const DeviceCaps& caps, size_t batch, Mode mode)
      : graph_(graph), caps_(caps), batch_(batch), training_(mode == Mode::training) {
    if (training_ && !graph.loss()) throw UsageError("[graph] training needs a loss: call Graph::set_loss");
    count_ = graph.nodes().size();
    end_ = 2 * count_;
    consumers_.resize(count_);
    for (size_t i = 0; i < count_; ++i) {
      for (const size_t input : graph.nodes()[i].inputs) consumers_[input].push_back(i);
    }
  }

  Schedule run() {
    infer_shapes();
    if (training_) find_what_runs_backward();
    place_values();
    if (training_) place_gradients();
    schedule_.memory = plan_memory(schedule_.slots, caps_.buffer_alignment);
    return std::move(schedule_);
  }

 private:
  const Graph::Node& node(size_t i) const { return graph_.nodes()[i]; }
  ScheduledNode& scheduled(size_t i) { return schedule_.nodes[i]; }
  size_t backward_step(size_t i) const { return end_ - 1 - i; }

  Slot new_slot(size_t bytes, size_t first, size_t last) {
    schedule_.slots.push_back({std::max<size_t>(bytes, 1), first, last});
    return schedule_.slots.size() - 1;
  }

  void infer_shapes() {
    schedule_.nodes.resize(count_);
    for (size_t i = 0; i < count_; ++i) {
      if (!node(i).layer) {
        std::vector<size_t> sizes = node(i).sample_shape.sizes();
        sizes.insert(sizes.begin(), batch_);
        scheduled(i).shape = Shape(std::move(sizes));
        continue;
      }
      std::vector<Shape> inputs;
      for (const size_t input : node(i).inputs) inputs.push_back(scheduled(input).shape);
      try {
        scheduled(i).plan = node(i).layer->plan(caps_, inputs);
      } catch (const ShapeError& error) {
        throw ShapeError(fmt::format("{}: {}", node(i).name, error.what()));
      }
      scheduled(i).shape = scheduled(i).plan.output;
    }
  }

  // A node runs backward if the loss depends on it and something trainable lies in it or before it.
  void find_what_runs_backward() {
    std::vector<bool> trainable(count_), wanted(count_);
    for (size_t i = 0; i < count_; ++i) {
      if (!node(i).layer) continue;
      const auto parameters = node(i).layer->parameters();
      trainable[i] = std::any_of(parameters.begin(), parameters.end(), [](const auto& p) { return p.trainable; }) ||
                     std::any_of(node(i).inputs.begin(), node(i).inputs.end(), [&](size_t m) { return trainable[m]; });
    }
    wanted[*graph_.loss()] = true;
    for (size_t i = count_; i-- > 0;) {
      scheduled(i).runs_backward = wanted[i] && trainable[i];
      if (!scheduled(i).runs_backward) continue;
      for (const size_t input : node(i).inputs) wanted[input] = true;
    }
  }

  size_t last_read(size_t i) {
    if (graph_.keeps(i)) return end_;
    size_t last = i;
    if (scheduled(i).runs_backward && scheduled(i).plan.backward_reads_output) last = backward_step(i);
    for (const size_t c : consumers_[i]) {
      const bool again = scheduled(c).runs_backward && scheduled(c).plan.backward_reads_inputs;
      last = std::max(last, again ? backward_step(c) : c);
    }
    return last;
  }

  void place_values() {
    for (size_t i = 0; i < count_; ++i) {
      auto& s = scheduled(i);
      const size_t bytes = s.shape.elements() * size_of(node(i).dtype);
      if (!node(i).layer) {
        schedule_.input_bytes += bytes;
        continue;
      }
      s.value = new_slot(bytes, i, last_read(i));
      for (const auto& saved : s.plan.saved) {
        const size_t last = graph_.keeps(i) ? end_ : s.runs_backward ? backward_step(i) : i;
        s.saved.push_back(new_slot(saved.shape.elements() * size_of(saved.dtype), i, last));
      }
      if (s.plan.workspace_bytes == 0) continue;
      s.forward_workspace = new_slot(s.plan.workspace_bytes, i, i);
      if (s.runs_backward) s.backward_workspace = new_slot(s.plan.workspace_bytes, backward_step(i), backward_step(i));
    }
  }

  void place_gradients() {
    givers_.assign(count_, 0);
    for (size_t i = count_; i-- > 0;) {
      auto& s = scheduled(i);
      if (!s.runs_backward) continue;
      const size_t now = backward_step(i);
      if (s.gradient) schedule_.slots[*s.gradient].last = now;
      s.input_gradients.resize(node(i).inputs.size());
      for (size_t k = 0; k < node(i).inputs.size(); ++k) s.input_gradients[k] = gradient_to(node(i).inputs[k], i);
    }
  }

  // Who writes the gradient of `to` in the backward pass of `from`, and where.
  InputGradient gradient_to(size_t to, size_t from) {
    auto& target = scheduled(to);
    if (!target.runs_backward) return {};
    const size_t now = backward_step(from);
    if (target.gradient) {
      schedule_.slots[*target.gradient].last = now;
      return {target.gradient, GradMode::accumulate};
    }
    givers_[to] = from;
    if (can_share(to, from)) {
      target.gradient = scheduled(from).gradient;
      return {};
    }
    target.gradient = new_slot(target.shape.elements() * sizeof(float), now, now);
    return {target.gradient, GradMode::overwrite};
  }

  // Whether the gradient of `to` may live in the memory of the gradient of `from`, which equals it. Between the moment
  // when a node is given its gradient (backward of its giver) and the moment when it has used it (its own backward),
  // nobody may add to another gradient that shares the memory.
  bool can_share(size_t to, size_t from) {
    const auto& inputs = node(from).inputs;
    if (!scheduled(from).plan.gradient_passes_through || !scheduled(from).gradient) return false;
    if (std::count(inputs.begin(), inputs.end(), to) > 1) return false;
    std::vector<size_t> sharing{to};
    for (size_t i = 0; i < count_; ++i) {
      if (i != to && scheduled(i).gradient == scheduled(from).gradient) sharing.push_back(i);
    }
    for (const size_t member : sharing) {
      for (const size_t adder : consumers_[member]) {
        if (adder >= givers_[member] || !scheduled(adder).runs_backward) continue;
        const bool harms = std::any_of(sharing.begin(), sharing.end(), [&](size_t other) {
          return other != member && adder >= other && adder < givers_[other];
        });
        if (harms) return false;
      }
    }
    return true;
  }

  const Graph& graph_;
  const DeviceCaps& caps_;
  size_t batch_, count_ = 0, end_ = 0;
  bool training_;
  std::vector<std::vector<size_t>> consumers_;
  std::vector<size_t> givers_;  // the node whose backward defined this node's gradient
  Schedule schedule_;
};

}  // namespace

bool Schedule::fits(const DeviceCaps& caps) const {
  return std::max(memory.total, input_bytes) <= caps.max_allocation && total_bytes() <= caps.memory_bytes;
}

Schedule make_schedule(const Graph& graph, const DeviceCaps& caps, size_t batch, Mode mode) {
  if (batch == 0) throw UsageError("[graph] the batch size must be at least 1");
  return Scheduler(graph, caps, batch, mode).run();
}

}  // namespace vitcl::nn
