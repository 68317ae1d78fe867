#include "vitcl/nn/plan.hpp"

#include <fmt/format.h>

#include <tuple>

#include "nn/fuse.hpp"
#include "nn/schedule.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::nn {
namespace {

/// Turns a schedule into tensors and records the launches.
class Recorder {
 public:
  Recorder(const Graph& graph, const Schedule& schedule, Parameters& parameters, Device& device)
      : graph_(graph), schedule_(schedule), parameters_(parameters), values_(schedule.nodes.size()) {
    const Buffer arena = device.allocate(schedule.memory.total);
    for (size_t i = 0; i < schedule.slots.size(); ++i) {
      memory_.push_back(arena.slice(schedule.memory.offsets[i], schedule.slots[i].bytes));
    }
    for (size_t i = 0; i < values_.size(); ++i) {
      const auto& [shape, value] = std::tie(schedule.nodes[i].shape, schedule.nodes[i].value);
      values_[i] = value ? Tensor(memory_[*value], shape) : Tensor::empty(device, shape, graph.nodes()[i].dtype);
    }
  }

  const Tensor& value(size_t i) const { return values_[i]; }

  std::vector<Tensor> saved(size_t i) const {
    const auto& scheduled = schedule_.nodes[i];
    std::vector<Tensor> tensors;
    for (size_t k = 0; k < scheduled.saved.size(); ++k) {
      const auto& spec = scheduled.plan.saved[k];
      tensors.emplace_back(memory_[scheduled.saved[k]], spec.shape, spec.dtype);
    }
    return tensors;
  }

  void forward(Queue& queue) const {
    for (size_t i = 0; i < schedule_.nodes.size(); ++i) {
      const auto& layer = graph_.nodes()[i].layer;
      if (!layer) continue;
      ForwardArgs args;
      args.inputs = inputs(i);
      args.parameters = parameter_tensors(i, false);
      args.output = value(i);
      args.saved = saved(i);
      args.workspace = workspace(schedule_.nodes[i].forward_workspace);
      layer->forward(queue, args);
    }
  }

  void backward(Queue& queue, GradMode parameter_mode) const {
    for (size_t i = schedule_.nodes.size(); i-- > 0;) {
      const auto& scheduled = schedule_.nodes[i];
      if (!scheduled.runs_backward) continue;
      BackwardArgs args;
      args.inputs = inputs(i);
      args.parameters = parameter_tensors(i, false);
      args.output = value(i);
      args.saved = saved(i);
      args.workspace = workspace(scheduled.backward_workspace);
      if (scheduled.gradient) args.output_gradient = Tensor(memory_[*scheduled.gradient], scheduled.shape);
      for (size_t k = 0; k < scheduled.input_gradients.size(); ++k) {
        const auto& gradient = scheduled.input_gradients[k];
        const auto& shape = schedule_.nodes[graph_.nodes()[i].inputs[k]].shape;
        args.input_gradients.push_back(gradient.slot ? Tensor(memory_[*gradient.slot], shape) : Tensor());
        args.input_modes.push_back(gradient.mode);
      }
      args.parameter_gradients = parameter_tensors(i, true);
      args.parameter_mode = parameter_mode;
      graph_.nodes()[i].layer->backward(queue, args);
    }
  }

 private:
  std::vector<Tensor> inputs(size_t i) const {
    std::vector<Tensor> tensors;
    for (const size_t input : graph_.nodes()[i].inputs) tensors.push_back(value(input));
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

  Tensor workspace(const std::optional<Slot>& slot) const {
    if (!slot) return {};
    return {memory_[*slot], Shape{schedule_.slots[*slot].bytes}, DType::u8};
  }

  const Graph& graph_;
  const Schedule& schedule_;
  Parameters& parameters_;
  std::vector<Buffer> memory_;  // of the slots
  std::vector<Tensor> values_;  // of the nodes
};

std::string mebibytes(size_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

void check_memory(const Graph& graph, const Schedule& schedule, const DeviceInfo& info, size_t batch, Mode mode) {
  if (schedule.fits(info.caps)) return;
  const size_t fits = largest_batch(graph, info.caps, mode);
  throw DeviceError(fmt::format(
      "a batch of {} needs {}, {} of it in one piece; {} has {} of memory and allows {} in one allocation. {}", batch,
      mebibytes(schedule.total_bytes()), mebibytes(schedule.memory.total), info.name, mebibytes(info.caps.memory_bytes),
      mebibytes(info.caps.max_allocation),
      fits == 0 ? "Not even a batch of 1 fits: choose a smaller model or another device."
                : fmt::format("The largest batch that fits is {}.", fits)));
}

}  // namespace

Plan::Plan(const Graph& plain, Parameters& parameters, Queue& queue, size_t batch, Mode mode, GradMode parameter_mode)
    : queue_(&queue), batch_(batch) {
  const Graph graph = getenv("VITCL_NOFUSE") ? plain : fuse(plain, queue.device().caps());
  const Schedule schedule = make_schedule(graph, queue.device().caps(), batch, mode);
  planned_bytes_ = schedule.total_bytes();
  check_memory(graph, schedule, queue.device().info(), batch, mode);
  const Recorder recorder(graph, schedule, parameters, queue.device());
  commands_ = queue.record([&] {
    recorder.forward(queue);
    if (mode == Mode::training) recorder.backward(queue, parameter_mode);
  });
  for (const auto& [id, name] : graph.kept()) {
    tensors_[name] = recorder.value(id);
    const auto saved = recorder.saved(id);
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
