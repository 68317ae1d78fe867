#include "vitcl/nn/plan.hpp"

#include <fmt/format.h>

#include <bit>

#include "nn/fuse.hpp"
#include "nn/part_backward.hpp"
#include "nn/schedule.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/ops/scale.hpp"

namespace vitcl::nn {
namespace {

/// Turns a schedule into tensors and records the launches.
class Recorder {
 public:
  Recorder(const Graph& graph, const Schedule& schedule, Parameters& parameters, Device& device, float loss_scale)
      : graph_(graph), schedule_(schedule), parameters_(parameters), loss_scale_(loss_scale) {
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

  // What gradients are added to is scaled as they are, and back with them.
  void record(Queue& queue, GradMode parameter_mode) const {
    if (loss_scale_ != 1 && parameter_mode == GradMode::accumulate) {
      ops::scale(queue, parameters_.gradients(), loss_scale_);
    }
    for (const Step& step : schedule_.steps) {
      if (step.pass == Pass::backward) {
        backward(queue, step, parameter_mode);
      } else {
        forward(queue, step);
      }
    }
    if (loss_scale_ != 1) ops::scale(queue, parameters_.gradients(), 1 / loss_scale_);
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
    return Tensor::empty(device, schedule_.nodes[i].shape, schedule_.nodes[i].dtype);
  }

  /// A node's output, or its gradient.
  Tensor like_output(size_t i, Slot slot) const {
    return {memory_[slot], schedule_.nodes[i].shape, schedule_.nodes[i].dtype};
  }

  NodeTensors results(size_t i, const Results& slots, const Tensor& input) const {
    const LayerPlan& plan = schedule_.nodes[i].plan;
    NodeTensors tensors{slots.value ? like_output(i, *slots.value) : input, {}};
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
    args.loss_scale = loss_scale_;
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
    if (scheduled.gradient) args.output_gradient = like_output(step.node, *scheduled.gradient);
    for (size_t k = 0; k < scheduled.input_gradients.size(); ++k) {
      const auto& gradient = scheduled.input_gradients[k];
      args.input_gradients.push_back(gradient.slot ? like_output(node.inputs[k], *gradient.slot) : Tensor());
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
  float loss_scale_;                             // 1: the loss as it is
  std::vector<Buffer> memory_;                   // of the slots
  std::vector<NodeTensors> forward_, backward_;  // of the nodes: what forward leaves and what backward reads
};

/// What mixed training multiplies the loss by; 1 otherwise.
float loss_scale_of(const Graph& graph, size_t batch, const PlanOptions& options) {
  if (options.precision == Precision::float32 || options.mode == Mode::inference) return 1;
  return loss_scale(graph.nodes()[*graph.loss()].layer->mean_over(batch));
}

void check_precision(const DeviceInfo& info, const PlanOptions& options) {
  if (options.precision == Precision::float32 || info.caps.fp16) return;
  throw DeviceError(
      fmt::format("{} ({}) does not have cl_khr_fp16, which mixed precision needs: choose a device beside which "
                  "`vitcl devices` shows fp16, or --precision float32",
                  info.name, info.platform));
}

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

float loss_scale(size_t samples) { return 1024 * static_cast<float>(std::bit_floor(samples)); }

Plan::Plan(const Graph& plain, Parameters& parameters, Queue& queue, size_t batch, const PlanOptions& options)
    : queue_(&queue), batch_(batch) {
  check_precision(queue.device().info(), options);
  const Graph graph = rewritten(plain, queue.device().caps(), options);
  const Schedule schedule = make_schedule(graph, queue.device().caps(), batch, options);
  planned_bytes_ = schedule.total_bytes();
  unplanned_bytes_ = schedule.bytes_without_reuse();
  check_memory(plain, schedule, queue.device().info(), batch, options);
  const Recorder recorder(graph, schedule, parameters, queue.device(), loss_scale_of(graph, batch, options));
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
