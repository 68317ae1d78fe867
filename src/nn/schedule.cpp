#include "nn/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

#include "nn/part_backward.hpp"
#include "nn/recompute.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::nn {
namespace {

class Scheduler {
 public:
  /// `cuts` ends the segments whose forward runs again before their backward, but for the last (nn/recompute.hpp).
  Scheduler(const Graph& graph, const DeviceCaps& caps, size_t batch, const PlanOptions& options,
            std::vector<size_t> cuts)
      : graph_(graph),
        caps_(caps),
        batch_(batch),
        training_(options.mode == Mode::training),
        parts_(options.parts),
        storage_(options.precision == Precision::mixed ? DType::f16 : DType::f32),
        cuts_(std::move(cuts)) {
    if (training_ && !graph.loss()) throw UsageError("[graph] training needs a loss: call Graph::set_loss");
    count_ = graph.nodes().size();
    givers_.resize(count_);
    consumers_.resize(count_);
    for (size_t i = 0; i < count_; ++i) {
      for (const size_t input : graph.nodes()[i].inputs) consumers_[input].push_back(i);
    }
  }

  Schedule run() {
    infer_shapes();
    order_forward();
    if (training_) {
      find_what_runs_backward();
      order_backward();
    }
    runs_again_.resize(count_);
    for (const Step& step : schedule_.steps) {
      if (step.pass == Pass::again) runs_again_[step.node] = true;
    }
    for (now_ = 0; now_ < schedule_.steps.size(); ++now_) place(schedule_.steps[now_]);
    for (const auto& kept : graph_.kept()) read(scheduled(kept.id).forward);
    schedule_.memory = plan_memory(schedule_.slots, caps_.buffer_alignment);
    return std::move(schedule_);
  }

 private:
  const Graph::Node& node(size_t i) const { return graph_.nodes()[i]; }
  ScheduledNode& scheduled(size_t i) { return schedule_.nodes[i]; }

  Slot new_slot(size_t bytes) {
    schedule_.slots.push_back({std::max<size_t>(bytes, 1), now_, now_});
    return schedule_.slots.size() - 1;
  }

  void read(Slot slot) { schedule_.slots[slot].last = now_; }
  void read_value(const Results& results) {
    if (results.value) read(*results.value);
  }
  void read(const Results& results) {
    read_value(results);
    for (const Slot slot : results.saved) read(slot);
  }

  void infer_shapes() {
    schedule_.nodes.resize(count_);
    for (size_t i = 0; i < count_; ++i) {
      if (!node(i).layer) {
        std::vector<size_t> sizes = node(i).sample_shape.sizes();
        sizes.insert(sizes.begin(), batch_);
        scheduled(i).shape = Shape(std::move(sizes));
        scheduled(i).dtype = node(i).dtype;
        schedule_.input_bytes += output_bytes(scheduled(i));
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
      const bool read_by_loss = graph_.loss() && std::ranges::count(node(*graph_.loss()).inputs, i) > 0;
      scheduled(i).dtype = graph_.keeps(i) || read_by_loss ? DType::f32 : storage_;
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
      const bool in_parts = parts_ > 1 && scheduled(i).plan.parts != parts_ && !node(i).layer->parameters().empty();
      scheduled(i).backward_parts = in_parts ? parts_ : 0;
    }
  }

  void order_forward() {
    for (size_t i = 0; i < count_; ++i) {
      if (node(i).layer) schedule_.steps.push_back({Pass::forward, i, {}});
    }
    schedule_.forward_steps = schedule_.steps.size();
  }

  // From the last segment to the first; the results of the last are still there.
  void order_backward() {
    size_t end = count_;
    for (size_t c = cuts_.size() + 1; c-- > 0;) {
      const size_t begin = c == 0 ? 0 : cuts_[c - 1] + 1;
      if (end < count_) order_again(begin, end);
      for (size_t i = end; i-- > begin;) {
        if (scheduled(i).runs_backward) schedule_.steps.push_back({Pass::backward, i, {}});
      }
      end = begin;
    }
  }

  // The second forward of the nodes [begin, end): of those whose results backward reads, and what these depend on. What
  // the caller keeps is still there, and so is the value of the cut at their end, but not what its layer saves.
  void order_again(size_t begin, size_t end) {
    std::vector<bool> needed(count_);
    std::vector<Step> steps;
    const auto need_inputs = [&](size_t i) {
      for (const size_t input : node(i).inputs) needed[input] = true;
    };
    for (size_t i = end; i-- > begin;) {
      const auto& [plan, backward] = std::tie(scheduled(i).plan, scheduled(i).runs_backward);
      if (backward && plan.backward_reads_inputs) need_inputs(i);
      if (backward && (plan.backward_reads_output || !plan.saved.empty())) needed[i] = true;
      const bool still_there = graph_.keeps(i) || (i + 1 == end && plan.saved.empty());
      if (!needed[i] || !node(i).layer || still_there) continue;
      need_inputs(i);
      steps.push_back({Pass::again, i, {}});
    }
    schedule_.steps.insert(schedule_.steps.end(), steps.rbegin(), steps.rend());
  }

  void place(Step& step) {
    const auto& s = scheduled(step.node);
    const bool unsaved = step.pass != Pass::backward && !saves(step.node, step.pass);
    size_t scratch = unsaved ? s.plan.unsaved_workspace_bytes : s.plan.workspace_bytes;
    if (step.pass == Pass::backward && s.backward_parts > 0) scratch = part_scratch(step.node);
    if (scratch > 0) step.workspace = new_slot(scratch);
    if (step.pass == Pass::backward) {
      place_backward(step.node);
    } else {
      place_forward(step.node, step.pass);
    }
  }

  size_t part_scratch(size_t i) const {
    std::vector<Shape> inputs;
    for (const size_t input : node(i).inputs) inputs.push_back(schedule_.nodes[input].shape);
    return part_backward_workspace_bytes(*node(i).layer, schedule_.nodes[i].plan, inputs, parts_,
                                         caps_.buffer_alignment);
  }

  // Whether a forward pass leaves what its layer saves.
  bool saves(size_t i, Pass pass) const {
    const auto& s = schedule_.nodes[i];
    return !s.plan.saves_for_backward_only || pass == Pass::again || (s.runs_backward && !runs_again_[i]);
  }

  void place_forward(size_t i, Pass pass) {
    auto& s = scheduled(i);
    for (const size_t m : node(i).inputs) {
      read_value(pass == Pass::forward ? scheduled(m).forward : scheduled(m).backward);
    }
    // A cut's value is written over itself: later segments have read it from there.
    const bool in_place = pass == Pass::again && std::ranges::binary_search(cuts_, i);
    if (in_place) read_value(s.forward);
    Results results{in_place ? *s.forward.value : new_slot(output_bytes(s)), {}};
    if (saves(i, pass)) {
      for (const auto& saved : s.plan.saved) {
        results.saved.push_back(new_slot(saved.shape.elements() * size_of(saved.dtype)));
      }
    }
    s.backward = results;
    if (pass == Pass::forward) s.forward = std::move(results);
  }

  void place_backward(size_t i) {
    auto& s = scheduled(i);
    for (const Slot slot : s.backward.saved) read(slot);
    if (s.plan.backward_reads_output) read_value(s.backward);
    if (s.gradient) read(*s.gradient);
    for (const size_t m : node(i).inputs) {
      if (s.plan.backward_reads_inputs) read_value(scheduled(m).backward);
      s.input_gradients.push_back(gradient_to(m, i));
    }
  }

  // Who writes the gradient of `to` in the backward pass of `from`, and where.
  InputGradient gradient_to(size_t to, size_t from) {
    auto& target = scheduled(to);
    if (!target.runs_backward) return {};
    if (target.gradient) {
      read(*target.gradient);
      return {target.gradient, GradMode::accumulate};
    }
    givers_[to] = from;
    if (can_share(to, from)) {
      target.gradient = scheduled(from).gradient;
      return {};
    }
    target.gradient = new_slot(output_bytes(target));
    return {target.gradient, GradMode::overwrite};
  }

  // Whether the gradient of `to` may live in the memory of the gradient of `from`, which equals it. Between the moment
  // when a node is given its gradient (backward of its giver) and the moment when it has used it (its own backward),
  // nobody may add to another gradient that shares the memory.
  bool can_share(size_t to, size_t from) {
    const auto& inputs = node(from).inputs;
    if (!scheduled(from).plan.gradient_passes_through || !scheduled(from).gradient) return false;
    if (scheduled(to).dtype != scheduled(from).dtype) return false;
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
  size_t batch_, count_ = 0;
  bool training_;
  size_t parts_;
  DType storage_;  // of what neither the caller nor the loss reads
  std::vector<size_t> cuts_;
  size_t now_ = 0;  // the step at hand, or their number behind the last
  std::vector<std::vector<size_t>> consumers_;
  std::vector<bool> runs_again_;
  std::vector<size_t> givers_;  // the node whose backward defined this node's gradient
  Schedule schedule_;
};

// Within a twentieth of the least memory, the one that computes least a second time.
Schedule& cheapest(std::vector<Schedule>& all) {
  constexpr double near = 1.05;
  const auto memory = [](const Schedule& s) { return static_cast<double>(s.memory.total); };
  const double bound = near * memory(*std::ranges::min_element(all, {}, memory));
  return *std::ranges::min_element(all, {}, [&](const Schedule& s) {
    return memory(s) <= bound ? s.recomputed_flops() : std::numeric_limits<double>::infinity();
  });
}

}  // namespace

size_t Schedule::bytes_without_reuse() const {
  size_t bytes = input_bytes;
  for (const auto& slot : slots) bytes += slot.bytes;
  return bytes;
}

size_t Schedule::saved_bytes(size_t node) const {
  size_t bytes = 0;
  const auto count = [&](Slot slot) { bytes += slots[slot].last >= forward_steps ? slots[slot].bytes : 0; };
  if (nodes[node].forward.value) count(*nodes[node].forward.value);
  for (const Slot slot : nodes[node].forward.saved) count(slot);
  return bytes;
}

double Schedule::recomputed_flops() const {
  double flops = 0;
  for (const Step& step : steps) flops += step.pass == Pass::again ? nodes[step.node].plan.forward_flops : 0;
  return flops;
}

bool Schedule::fits(const DeviceCaps& caps) const {
  return std::max(memory.total, input_bytes) <= caps.max_allocation && total_bytes() <= caps.memory_bytes;
}

Schedule make_schedule(const Graph& graph, const DeviceCaps& caps, size_t batch, const PlanOptions& options) {
  if (batch == 0) throw UsageError("[graph] the batch size must be at least 1");
  if (options.parts > 0 && (!std::has_single_bit(options.parts) || options.parts > batch)) {
    throw UsageError(
        fmt::format("[graph] a batch of {} can't be cut in {} parts: a power of two up to the batch is wanted", batch,
                    options.parts));
  }
  const auto with_cuts = [&](std::vector<size_t> cuts) {
    return Scheduler(graph, caps, batch, options, std::move(cuts)).run();
  };
  Schedule plain = with_cuts({});
  if (!options.recompute || options.mode != Mode::training) return plain;
  std::vector<Schedule> all;
  for (auto& cuts : possible_cuts(graph, plain)) all.push_back(with_cuts(std::move(cuts)));
  all.push_back(std::move(plain));
  return std::move(cheapest(all));
}

}  // namespace vitcl::nn
