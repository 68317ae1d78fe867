#include "nn/part_backward.hpp"

#include "ops/scratch.hpp"
#include "vitcl/ops/parts.hpp"

namespace vitcl::nn {
namespace {

using ops::Scratch;

/// One part's share of tensors whose first axis is the batch, or runs through it. Where a share starts at an address at
/// which no buffer can, it is copied.
class Part {
 public:
  Part(Queue& queue, Scratch scratch, size_t batch, size_t first, size_t last)
      : queue_(queue), scratch_(std::move(scratch)), batch_(batch), first_(first), last_(last) {}

  /// `read`: the layer reads what the tensor holds.
  Tensor of(const Tensor& whole, bool read) {
    if (!whole) return {};
    std::vector<size_t> sizes = whole.shape().sizes();
    sizes.front() = sizes.front() / batch_ * (last_ - first_);
    const Shape shape(std::move(sizes));
    const size_t bytes = shape.elements() * size_of(whole.dtype()), offset = begin(whole) * size_of(whole.dtype());
    if (offset % queue_.device().caps().buffer_alignment == 0) {
      return {whole.buffer().slice(offset, bytes), shape, whole.dtype()};
    }
    Tensor copy(scratch_.take(bytes), shape, whole.dtype());
    if (read) ops::copy_range(queue_, whole, begin(whole), copy, 0, copy.elements());
    return copy;
  }
  /// Puts what the layer has written where it belongs.
  void put_back(const Tensor& share, const Tensor& whole) {
    if (share && share.buffer().offset() != whole.buffer().offset() + begin(whole) * size_of(whole.dtype())) {
      ops::copy_range(queue_, share, 0, whole, begin(whole), share.elements());
    }
  }
  Buffer scratch(size_t bytes) { return scratch_.take(bytes); }

 private:
  /// The number of the share's first element.
  size_t begin(const Tensor& whole) const { return whole.elements() / batch_ * first_; }

  Queue& queue_;
  Scratch scratch_;
  size_t batch_, first_, last_;
};

void run_part(Queue& queue, const Layer& layer, const LayerPlan& plan, const BackwardArgs& args, Part part,
              std::vector<Tensor> gradients) {
  BackwardArgs share;
  for (const Tensor& input : args.inputs) share.inputs.push_back(part.of(input, plan.backward_reads_inputs));
  for (const Tensor& saved : args.saved) share.saved.push_back(part.of(saved, true));
  share.parameters = args.parameters;
  share.output = part.of(args.output, plan.backward_reads_output);
  share.output_gradient = part.of(args.output_gradient, true);
  share.input_modes = args.input_modes;
  for (size_t k = 0; k < args.input_gradients.size(); ++k) {
    share.input_gradients.push_back(part.of(args.input_gradients[k], args.input_modes[k] == GradMode::accumulate));
  }
  share.parameter_gradients = std::move(gradients);
  if (plan.workspace_bytes > 0) {
    share.workspace = Tensor(part.scratch(plan.workspace_bytes), {plan.workspace_bytes}, DType::u8);
  }
  layer.backward(queue, share);
  for (size_t k = 0; k < args.input_gradients.size(); ++k) {
    part.put_back(share.input_gradients[k], args.input_gradients[k]);
  }
}

}  // namespace

size_t part_backward_workspace_bytes(const Layer& layer, const LayerPlan& plan, const std::vector<Shape>& inputs,
                                     size_t parts, size_t alignment) {
  const size_t batch = plan.output[0], largest = (batch + parts - 1) / parts;
  size_t bytes = align_up(plan.workspace_bytes, alignment);
  for (const ParameterSpec& parameter : layer.parameters()) {
    bytes += align_up(parts * align_up(parameter.shape.elements() * sizeof(float), alignment), alignment);
  }
  const auto share = [&](const Shape& whole) {
    return align_up(whole.elements() / batch * largest * sizeof(float), alignment);
  };
  for (const Shape& input : inputs) bytes += 2 * share(input);  // and its gradient
  for (const SavedSpec& saved : plan.saved) bytes += share(saved.shape);
  return bytes + 2 * share(plan.output);
}

void part_backward(Queue& queue, const Layer& layer, const LayerPlan& plan, const BackwardArgs& args, size_t parts) {
  const size_t alignment = queue.device().caps().buffer_alignment, batch = plan.output[0];
  Scratch scratch(args.workspace.buffer(), alignment);
  std::vector<Tensor> sums;  // of each parameter, a row for each part
  for (const Tensor& gradient : args.parameter_gradients) {
    const size_t row = align_up(gradient.bytes(), alignment);
    sums.push_back(gradient ? Tensor(scratch.take(parts * row), {parts, row / sizeof(float)}) : Tensor());
  }
  for (size_t part = 0; part < parts; ++part) {
    std::vector<Tensor> gradients;
    for (size_t k = 0; k < sums.size(); ++k) {
      const Tensor& whole = args.parameter_gradients[k];
      const size_t row = align_up(whole.bytes(), alignment);
      gradients.push_back(whole ? Tensor(sums[k].buffer().slice(part * row, whole.bytes()), whole.shape()) : Tensor());
    }
    run_part(queue, layer, plan, args,
             {queue, scratch, batch, ops::part_begin(batch, part, parts), ops::part_begin(batch, part + 1, parts)},
             std::move(gradients));
  }
  for (size_t k = 0; k < sums.size(); ++k) {
    if (sums[k]) ops::sum_parts(queue, sums[k], args.parameter_mode, args.parameter_gradients[k]);
  }
}

}  // namespace vitcl::nn
