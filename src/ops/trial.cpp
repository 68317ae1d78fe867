#include "trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "gemm.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/ops/add.hpp"
#include "vitcl/ops/attention.hpp"
#include "vitcl/ops/convolution.hpp"
#include "vitcl/ops/encoder_block.hpp"
#include "vitcl/ops/gelu.hpp"
#include "vitcl/ops/layer_norm.hpp"
#include "vitcl/ops/linear.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::ops {
namespace {

constexpr GradMode overwrite = GradMode::overwrite;

/// The numbers in "1700x192x64". Throws UsageError unless there are `count`, none of them 0.
std::vector<size_t> sizes_of(const OpShape& key, std::string_view text, size_t count) {
  std::vector<size_t> sizes;
  const char *at = text.data(), *end = at + text.size();
  while (at <= end) {
    size_t size = 0;
    const auto [rest, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size == 0 || (rest != end && *rest != 'x')) break;
    sizes.push_back(size);
    at = rest + 1;
  }
  if (at == end + 1 && sizes.size() == count) return sizes;
  throw UsageError(fmt::format("[{}] \"{}\" is not a shape of {} sizes, as in 1700x64", key.op, key.shape, count));
}
std::vector<size_t> sizes_of(const OpShape& key, size_t count) { return sizes_of(key, key.shape, count); }

GemmShape gemm_shape(const OpShape& key) {
  const size_t start = key.shape.find('_') + 1;
  const std::vector<size_t> sizes = sizes_of(key, std::string_view(key.shape).substr(start), 3);
  for (const GemmForm form : {GemmForm::nt, GemmForm::nn, GemmForm::tn}) {
    const GemmShape shape{form, sizes[0], sizes[1], sizes[2]};
    if (to_string(shape) == key.shape) return shape;
  }
  throw UsageError(fmt::format("[gemm] \"{}\" is not a shape like nt_1700x192x64", key.shape));
}

/// Makes the tensors of one trial.
class TrialTensors {
 public:
  explicit TrialTensors(Queue& queue) : queue_(queue) {}

  Tensor scratch(size_t bytes) { return Tensor::empty(queue_.device(), {bytes / sizeof(float) + 1}); }
  Tensor input(Shape shape, float bound = 1) {
    std::vector<float> values(shape.elements());
    for (float& value : values) value = random_.uniform(-bound, bound);
    return filled(std::move(shape), values);
  }
  Tensor result(Shape shape) {
    results.push_back(filled(shape, std::vector<float>(shape.elements(), NAN)));
    return results.back();
  }

  std::vector<Tensor> results;

 private:
  Tensor filled(Shape shape, const std::vector<float>& values) {
    const Tensor tensor = Tensor::empty(queue_.device(), std::move(shape));
    upload<float>(queue_, values, tensor);
    return tensor;
  }
  Queue& queue_;
  Random random_{0};
};

Trial try_gemm(Queue& queue, const OpShape& key) {
  const GemmShape shape = gemm_shape(key);
  TrialTensors tensors(queue);
  const Tensor a = tensors.input({shape.m * shape.k}), b = tensors.input({shape.k * shape.n});
  const Tensor c = tensors.result({shape.m, shape.n});
  const Tensor workspace = tensors.scratch(gemm_workspace_bytes(queue.device().caps(), shape));
  return {
      [=, &queue] { gemm(queue, shape, a.buffer(), b.buffer(), nullptr, overwrite, c.buffer(), workspace.buffer()); },
      tensors.results};
}

Trial try_attention(Queue& queue, const OpShape& key) {
  const auto sizes = sizes_of(key, 4);
  const size_t batch = sizes[0], tokens = sizes[1], heads = sizes[2], dim = heads * sizes[3];
  TrialTensors tensors(queue);
  const Tensor qkv = tensors.input({batch, tokens, 3 * dim}), dout = tensors.input({batch, tokens, dim});
  const Tensor out = tensors.result({batch, tokens, dim}), logsumexp = tensors.result({batch, heads, tokens});
  const Tensor dqkv = tensors.result({batch, tokens, 3 * dim});
  const Tensor workspace = tensors.scratch(attention_workspace_bytes(batch, tokens, heads));
  const AttentionOptions options{.heads = heads, .scale = 1 / std::sqrt(static_cast<float>(sizes[3]))};
  return {[=, &queue] {
            attention_forward(queue, qkv, options, out, logsumexp);
            attention_backward(queue, dout, qkv, out, logsumexp, options, overwrite, dqkv, workspace);
          },
          tensors.results};
}

Trial try_encoder_block(Queue& queue, const OpShape& key) {
  const auto sizes = sizes_of(key, 5);
  const size_t batch = sizes[0], tokens = sizes[1], dim = sizes[3];
  const EncoderBlockShape shape{batch, tokens, tokens, sizes[2], dim, sizes[4]};
  TrialTensors tensors(queue);
  const Tensor x = tensors.input({batch, tokens, dim}), dy = tensors.input({batch, tokens, dim});
  const Tensor y = tensors.result({batch, tokens, dim}), dx = tensors.result({batch, tokens, dim});
  BlockTensors parameters, gradients;
  for (size_t p = 0; p < block_parameter_count; ++p) {
    const Shape wanted = block_parameter_shape(shape, static_cast<BlockParameter>(p));
    if (wanted.elements() == 0) continue;
    parameters[p] = tensors.input(wanted, 1 / std::sqrt(static_cast<float>(dim)));
    gradients[p] = tensors.result(wanted);
  }
  const Tensor saved = tensors.scratch(encoder_block_saved_elements(shape) * sizeof(float));
  const Tensor workspace = tensors.scratch(encoder_block_workspace_bytes(queue.device().caps(), shape));
  const EncoderBlockOptions options{.scale = 1 / std::sqrt(static_cast<float>(dim))};
  return {[=, &queue] {
            encoder_block_forward(queue, shape, options, x, parameters, y, saved, workspace);
            encoder_block_backward(queue, shape, options, dy, x, parameters, saved, overwrite, dx, overwrite, gradients,
                                   workspace);
          },
          tensors.results};
}

Trial try_convolution(Queue& queue, const OpShape& key) {
  const auto sizes = sizes_of(key, 7);
  const size_t batch = sizes[0], side = sizes[1], in = sizes[3], out = sizes[4];
  const UnfoldOptions options{.window = sizes[5], .stride = sizes[6], .padding = (sizes[2] - side) / 2};
  const Shape squares{batch, side * side, in}, made{batch, options.grid(side) * options.grid(side), out};
  const Shape weights{out, options.windows(squares)[2]};
  TrialTensors tensors(queue);
  const Tensor x = tensors.input(squares), w = tensors.input(weights), dy = tensors.input(made);
  const Tensor y = tensors.result(made), dx = tensors.result(squares), dw = tensors.result(weights);
  const Tensor workspace = tensors.scratch(convolution_workspace_bytes(queue.device().caps(), squares, out, options));
  return {[=, &queue] {
            convolution_forward(queue, x, w, nullptr, options, y, workspace);
            convolution_backward_input(queue, dy, w, options, overwrite, dx, workspace);
            convolution_backward_weight(queue, dy, x, options, overwrite, dw, workspace);
          },
          tensors.results};
}

Trial try_layer_norm(Queue& queue, const OpShape& key) {
  const auto sizes = sizes_of(key, 2);
  const size_t rows = sizes[0], dim = sizes[1];
  TrialTensors tensors(queue);
  const Tensor x = tensors.input({rows, dim}), dy = tensors.input({rows, dim});
  const Tensor weight = tensors.input({dim}), bias = tensors.input({dim});
  const Tensor y = tensors.result({rows, dim}), mean = tensors.result({rows}), rstd = tensors.result({rows});
  const Tensor dx = tensors.result({rows, dim}), dweight = tensors.result({dim}), dbias = tensors.result({dim});
  const Tensor workspace = tensors.scratch(layer_norm_workspace_bytes(rows, dim));
  constexpr float epsilon = 1e-5F;
  return {[=, &queue] {
            layer_norm_forward(queue, x, weight, bias, epsilon, y, mean, rstd);
            layer_norm_backward(queue, dy, x, weight, mean, rstd, overwrite, dx, overwrite, dweight, dbias, workspace);
          },
          tensors.results};
}

Trial try_bias(Queue& queue, const OpShape& key) {
  const auto sizes = sizes_of(key, 2);
  TrialTensors tensors(queue);
  const Tensor dy = tensors.input({sizes[0], sizes[1]}), db = tensors.result({sizes[1]});
  const Tensor workspace = tensors.scratch(linear_workspace_bytes(queue.device().caps(), sizes[0], 1, sizes[1]));
  return {[=, &queue] { bias_backward(queue, dy, overwrite, db, workspace); }, tensors.results};
}

Trial try_gelu(Queue& queue, const OpShape& key) {
  const size_t count = sizes_of(key, 1)[0];
  TrialTensors tensors(queue);
  const Tensor x = tensors.input({count}), dy = tensors.input({count});
  const Tensor y = tensors.result({count}), dx = tensors.result({count});
  return {[=, &queue] {
            gelu_forward(queue, x, y);
            gelu_backward(queue, dy, x, overwrite, dx);
          },
          tensors.results};
}

Trial try_add(Queue& queue, const OpShape& key) {
  const size_t count = sizes_of(key, 1)[0];
  TrialTensors tensors(queue);
  const Tensor a = tensors.input({count}), b = tensors.input({count}), y = tensors.result({count});
  return {[=, &queue] { add_forward(queue, a, b, y); }, tensors.results};
}

struct TriedOp {
  std::string_view op, plain;
  Trial (*make)(Queue&, const OpShape&);
};
constexpr std::array<TriedOp, 8> tried_ops = {{{"gemm", "local_tile", try_gemm},
                                               {"encoder_block", "tile_6x16", try_encoder_block},
                                               {"attention", "work_group", try_attention},
                                               {"convolution", "windows", try_convolution},
                                               {"layer_norm", "work_group", try_layer_norm},
                                               {"bias", "blocks", try_bias},
                                               {"gelu", "items", try_gelu},
                                               {"add", "items", try_add}}};

}  // namespace

std::string_view plain_implementation(std::string_view op) {
  const auto* found = std::ranges::find(tried_ops, op, &TriedOp::op);
  return found == tried_ops.end() ? std::string_view() : found->plain;
}

Trial make_trial(Queue& queue, const OpShape& key) {
  const auto* found = std::ranges::find(tried_ops, key.op, &TriedOp::op);
  if (found == tried_ops.end()) throw UsageError(fmt::format("the op \"{}\" is not one that the tuner tries", key.op));
  return found->make(queue, key);
}

}  // namespace vitcl::ops
