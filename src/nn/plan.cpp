#include "vitcl/nn/plan.hpp"

#include <fmt/format.h>

#include <tuple>

#include "nn/fuse.hpp"
#include "nn/part_backward.hpp"
#include "nn/schedule.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::nn {
namespace {

/// Turns a schedule into tensors and records the launches.
class Recorder {
 public:
  Recorder(const Graph& graph, const Schedule& schedule, Parameters& parameters, Device& device)
      : graph_(graph), schedule_(schedule), parameters_(parameters) {
    const Buffer arena = device.allocate(schedule.memory.total);
    for (size_t i = 0; i < schedule.slots.size(); ++i) {
      memory_.push_back(arena.slice(schedule.memory.offsets[i], schedule.slots[i].bytes));
    }
    for (size_t i = 0; i < schedule.nodes.size(); ++i) {
      const Tensor input = graph.nodes()[i].layer ? Tensor() : new_input(i, device);
      forward_.push_back(results(i, schedule.nodes[i].forward, input));
      backward_.push_back(results(i, schedule.nodes[i].backward, input));
    }
  }

  void record(Queue& queue, GradMode parameter_mode) const {
    for (const Step& step : schedule_.steps) {
      if (step.pass == Pass::backward) {
        backward(queue, step, parameter_mode);
      } else {
        forward(queue, step);
      }
    }
  }

  const Tensor& value(size_t i) const { return forward_[i].value; }
  const std::vector<Tensor>& saved(size_t i) const { return forward_[i].saved; }

 private:
  /// Results of a node, as tensors.
  struct NodeTensors {
    Tensor value;
    std::vector<Tensor> saved;
  };

  Tensor new_input(size_t i, Device& device) const {
    return Tensor::empty(device, schedule_.nodes[i].shape, graph_.nodes()[i].dtype);
  }

  NodeTensors results(size_t i, const Results& slots, const Tensor& input) const {
    const auto& [shape, plan] = std::tie(schedule_.nodes[i].shape, schedule_.nodes[i].plan);
    NodeTensors tensors{slots.value ? Tensor(memory_[*slots.value], shape) : input, {}};
    for (size_t k = 0; k < slots.saved.size(); ++k) {
      tensors.saved.emplace_back(memory_[slots.saved[k]], plan.saved[k].shape, plan.saved[k].dtype);
    }
    return tensors;
  }

  void forward(Queue& queue, const Step& step) const {
    const auto& nodes = step.pass == Pass::forward ? forward_ : backward_;
    ForwardArgs args;
    args.inputs = inputs(step.node, nodes);
    args.parameters = parameter_tensors(step.node, false);
    args.output = nodes[step.node].value;
    args.saved = nodes[step.node].saved;
    args.workspace = workspace(step);
    graph_.nodes()[step.node].layer->forward(queue, args);
  }

  void backward(Queue& queue, const Step& step, GradMode parameter_mode) const {
    const auto& scheduled = schedule_.nodes[step.node];
    const auto& node = graph_.nodes()[step.node];
    BackwardArgs args;
    args.inputs = inputs(step.node, backward_);
    args.parameters = parameter_tensors(step.node, false);
    args.output = backward_[step.node].value;
    args.saved = backward_[step.node].saved;
    args.workspace = workspace(step);
    if (scheduled.gradient) args.output_gradient = Tensor(memory_[*scheduled.gradient], scheduled.shape);
    for (size_t k = 0; k < scheduled.input_gradients.size(); ++k) {
      const auto& gradient = scheduled.input_gradients[k];
      const auto& shape = schedule_.nodes[node.inputs[k]].shape;
      args.input_gradients.push_back(gradient.slot ? Tensor(memory_[*gradient.slot], shape) : Tensor());
      args.input_modes.push_back(gradient.mode);
    }
    args.parameter_gradients = parameter_tensors(step.node, true);
    args.parameter_mode = parameter_mode;
    if (scheduled.backward_parts > 0) {
      part_backward(queue, *node.layer, scheduled.plan, args, scheduled.backward_parts);
    } else {
      node.layer->backward(queue, args);
    }
  }

  std::vector<Tensor> inputs(size_t i, const std::vector<NodeTensors>& nodes) const {
    std::vector<Tensor> tensors;
    for (const size_t input : graph_.nodes()[i].inputs) tensors.push_back(nodes[input].value);
    return tensors;
  }

  // Values, or gradients with empty tensors for what is not trainable.
  std::vector<Tensor> parameter_tensors(size_t i, bool gradients) const {
    std::vector<Tensor> tensors;
    const auto& node = graph_.nodes()[i];
    const auto specs = node.layer->parameters();
    for (size_t k = 0; k < specs.size(); ++k) {
      if (!gradients) {
        tensors.push_back(parameters_.value(node.parameters[k]));
      } else {
        tensors.push_back(specs[k].trainable ? parameters_.gradient(node.parameters[k]) : Tensor());
      }
    }
    return tensors;
  }

  Tensor workspace(const Step& step) const {
    if (!step.workspace) return {};
    return {memory_[*step.workspace], Shape{schedule_.slots[*step.workspace].bytes}, DType::u8};
  }

  const Graph& graph_;
  const Schedule& schedule_;
  Parameters& parameters_;
  std::vector<Buffer> memory_;                   // of the slots
  std::vector<NodeTensors> forward_, backward_;  // of the nodes: what forward leaves and what backward reads
};

std::string mebibytes(size_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

void check_memory(const Graph& plain, const Schedule& schedule, const DeviceInfo& info, size_t batch,
                  PlanOptions options) {
  if (schedule.fits(info.caps)) return;
  const size_t fits = largest_batch(plain, info.caps, options);
  options.recompute = true;
  const size_t recomputed = largest_batch(plain, info.caps, options);
  throw DeviceError(fmt::format(
      "a batch of {} needs {}, {} of it in one piece; {} has {} of memory and allows {} in one allocation. {}", batch,
      mebibytes(schedule.total_bytes()), mebibytes(schedule.memory.total), info.name, mebibytes(info.caps.memory_bytes),
      mebibytes(info.caps.max_allocation),
      recomputed == 0 ? "Not even a batch of 1 fits: choose a smaller model or another device."
                      : fmt::format("The largest batch that fits is {}{}.", fits,
                                    recomputed > fits ? fmt::format(", with recompute {}", recomputed) : "")));
}

}  // namespace

Plan::Plan(const Graph& plain, Parameters& parameters, Queue& queue, size_t batch, const PlanOptions& options)
    : queue_(&queue), batch_(batch) {
  const Graph graph = rewritten(plain, queue.device().caps(), options);
  const Schedule schedule = make_schedule(graph, queue.device().caps(), batch, options);
  planned_bytes_ = schedule.total_bytes();
  unplanned_bytes_ = schedule.bytes_without_reuse();
  check_memory(plain, schedule, queue.device().info(), batch, options);
  const Recorder recorder(graph, schedule, parameters, queue.device());
  commands_ = queue.record([&] { recorder.record(queue, options.parameter_mode); });
  for (const auto& [id, name] : graph.kept()) {
    tensors_[name] = recorder.value(id);
    const auto& saved = recorder.saved(id);
    for (size_t k = 0; k < saved.size(); ++k) {
      tensors_[name + "/" + schedule.nodes[id].plan.saved[k].name] = saved[k];
    }
  }
}

const Tensor& Plan::tensor(const std::string& node) const {
  const auto found = tensors_.find(node);
  if (found == tensors_.end()) throw UsageError(fmt::format("[plan] the graph keeps no value \"{}\"", node));
  return found->second;
}

const Tensor& Plan::saved(const std::string& node, const std::string& name) const { return tensor(node + "/" + name); }

void Plan::run() { queue_->replay(commands_); }

}  // namespace vitcl::nn
