#include "vitcl/ops/encoder_block.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "attention.hpp"
#include "checks.hpp"
#include "dropout.hpp"
#include "gemm_register_tile.hpp"
#include "vitcl/ops/implementation.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "encoder_block";
constexpr std::array<std::string_view, block_parameter_count> parameter_names = {
    "norm1_weight", "norm1_bias", "qkv_weight", "qkv_bias", "projection_weight", "projection_bias",
    "norm2_weight", "norm2_bias", "up_weight",  "up_bias",  "down_weight",       "down_bias"};

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

size_t parameter_elements(const EncoderBlockShape& shape) {
  size_t sum = 0;
  for (size_t p = 0; p < block_parameter_count; ++p) {
    sum += block_parameter_shape(shape, static_cast<BlockParameter>(p)).elements();
  }
  return sum;
}

// The images that pass through the block together: some 200 rows, over which a packed panel of weights pays.
size_t group_size(const EncoderBlockShape& shape, size_t images) {
  constexpr size_t rows = 208;
  const size_t most = std::max<size_t>(1, rows / shape.tokens);
  return divide_up(images, divide_up(images, most));
}

// Work-items forward: as many for each compute unit, of one group or less.
size_t forward_items(const DeviceCaps& caps, const EncoderBlockShape& shape) {
  const size_t group = group_size(shape, shape.batch);
  return std::min(shape.batch, caps.compute_units * divide_up(shape.batch, caps.compute_units * group));
}

// Slices of the batch backward: as many as were asked for, else by the batch alone a power of two, of some 12 images
// where there are many.
size_t slice_count(const EncoderBlockShape& shape) {
  if (shape.parts > 0) return shape.parts;
  constexpr size_t images = 12, least = 4, most = 64;
  return std::bit_floor(std::clamp(shape.batch / images, std::min(shape.batch, least), most));
}

// Images that each of the work-items passes through the block together.
size_t group_of(const EncoderBlockShape& s, size_t items) { return group_size(s, divide_up(s.batch, items)); }

// Floats of scratch of a work-item forward: of normalised rows and, where nothing is saved, of all else but GELU's
// derivative for one group.
size_t forward_scratch(const DeviceCaps& caps, const EncoderBlockShape& s, bool saves) {
  EncoderBlockShape group = s;
  group.batch = group_of(s, forward_items(caps, s));
  const size_t normal = group.batch * s.tokens * s.dim;
  return normal + (saves ? 0 : encoder_block_saved_elements(group) - group.batch * s.queries * s.mlp_dim);
}

size_t backward_scratch(const EncoderBlockShape& s) {
  const size_t slices = slice_count(s);
  return slices * group_of(s, slices) * s.tokens * (3 * s.dim + std::max(3 * s.dim, s.mlp_dim));
}

// Bytes of the parameters' gradients in all slices but the first, which needs none; the scratch lies behind them.
size_t slice_bytes(const DeviceCaps& caps, const EncoderBlockShape& s) {
  return align_up((slice_count(s) - 1) * parameter_elements(s) * sizeof(float), caps.buffer_alignment);
}

/// `omitted`: OMITS of cl/encoder_block.cl.
Kernel block_kernel(Queue& queue, const EncoderBlockShape& shape, int64_t omitted, std::string_view entry) {
  const DeviceCaps& caps = queue.device().caps();
  const bool wide = has_wide_registers(caps);
  const auto key = fmt::format("{}x{}x{}x{}x{}", shape.batch, shape.tokens, shape.heads, shape.dim, shape.mlp_dim);
  const RegisterTile& tile = register_tile(choose_implementation(queue.device(), {std::string(op), key}, [&] {
    return register_tile_candidates(caps, refuse_encoder_block(caps, shape));
  }));
  return queue.device().kernel(op, entry,
                               spec_of(tile)
                                   .define("LANES", wide ? 16 : 8)
                                   .define("HEAD_DIM", to_int(op, "the head size", shape.dim / shape.heads))
                                   .define("MAX_TOKENS", to_int(op, "tokens", align_up(shape.tokens, 8)))
                                   .define("OMITS", omitted));
}

struct Mask {
  const Tensor* tensor;  ///< null where nothing can be masked
  size_t leading;
};

Mask check_mask(const EncoderBlockShape& s, const Tensor* mask) {
  if (mask == nullptr) return {nullptr, s.tokens};
  const Shape& shape = mask->shape();
  if (shape.rank() != 2 || shape[0] != s.batch || shape[1] > s.tokens || mask->dtype() != DType::u8) {
    throw ShapeError(fmt::format("[{}] mask is {} {} but must be ({}, {} or less) u8 to fit x", op, shape.to_string(),
                                 to_string(mask->dtype()), s.batch, s.tokens));
  }
  return {shape[1] > 0 ? mask : nullptr, s.tokens - shape[1]};
}

/// Stochastic depth and attention's dropout as the kernels take them.
struct Drops {
  Buffer draws;  ///< or what stands for them where nothing is dropped
  DropoutArguments path, probabilities;
};

Drops check_drops(const EncoderBlockShape& s, const EncoderBlockOptions& options, const Tensor& other) {
  const bool drops = options.drop_path > 0 || options.dropout.rate > 0;
  if (drops && options.draws == nullptr) throw UsageError(fmt::format("[{}] dropout needs draws", op));
  if (drops) expect_draws(op, *options.draws, s.batch);
  return {drops ? options.draws->buffer() : other.buffer(), dropout_arguments(op, {.rate = options.drop_path}),
          dropout_arguments(op, options.dropout)};
}

int64_t omits(const Mask& mask, const EncoderBlockOptions& options) {
  return int64_t{mask.tensor != nullptr} + (options.dropout.rate > 0 ? 2 : 0);
}

// The parameters, or with the prefix "d" their gradients.
void check_parameters(const EncoderBlockShape& s, const BlockTensors& tensors, std::string_view prefix) {
  for (size_t p = 0; p < block_parameter_count; ++p) {
    const Shape wanted = block_parameter_shape(s, static_cast<BlockParameter>(p));
    if (wanted.elements() == 0) continue;
    expect_shape(op, fmt::format("{}{}", prefix, parameter_names[p]), tensors[p], wanted, "to fit x");
  }
}

void check(const DeviceCaps& caps, const EncoderBlockShape& s, const Tensor& x, const BlockTensors& parameters) {
  if (s.heads == 0 || s.dim % s.heads != 0 || (s.queries != s.tokens && s.queries != 1)) {
    throw ShapeError(fmt::format("[{}] dim {} must be a multiple of {} heads, and the {} queries 1 or the {} tokens",
                                 op, s.dim, s.heads, s.queries, s.tokens));
  }
  if (const auto reason = refuse_encoder_block(caps, s)) throw UsageError(fmt::format("[{}] {}", op, *reason));
  expect_filled(op, "x", x);
  if (s.parts > s.batch || (s.parts > 0 && !std::has_single_bit(s.parts))) {
    throw ShapeError(
        fmt::format("[{}] the batch of {} can't be cut in {} parts: a power of two, at most the batch, is wanted", op,
                    s.batch, s.parts));
  }
  expect_shape(op, "x", x, {s.batch, s.tokens, s.dim}, "to be computed with");
  check_parameters(s, parameters, "");
}

/// Calls launch(arguments...) with the parameters, as kernels take them.
template <class Launch>
void with_tensors(const BlockTensors& t, const Tensor& instead_of_qkv_bias, const Launch& launch) {
  const Tensor& qkv_bias = t[3] ? t[3] : instead_of_qkv_bias;
  launch(t[0], t[1], t[2], qkv_bias, t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11]);
}

void add_slices(Queue& queue, const EncoderBlockShape& s, int64_t omitted, const Buffer& slices, size_t count,
                const BlockTensors& targets) {
  constexpr size_t chunk = 1024;
  const size_t longest = s.dim * std::max(3 * s.dim, s.mlp_dim);
  const auto elements = static_cast<double>(parameter_elements(s)), parts = static_cast<double>(count);
  with_tensors(targets, targets[0], [&](const auto&... d) {
    queue.launch(block_kernel(queue, s, omitted, "encoder_block_sum_gradients"),
                 {{divide_up(longest, chunk), block_parameter_count},
                  {1, 1},
                  elements * parts,
                  sizeof(float) * elements * (parts + 1)},
                 slices, d..., to_int(op, "slices", count), to_int(op, "heads", s.heads),
                 to_int(op, "mlp_dim", s.mlp_dim), int32_t{s.qkv_bias}, static_cast<int32_t>(chunk));
  });
}

}  // namespace

Shape block_parameter_shape(const EncoderBlockShape& s, BlockParameter parameter) {
  switch (parameter) {
    case BlockParameter::qkv_weight:
      return {3 * s.dim, s.dim};
    case BlockParameter::qkv_bias:
      return {s.qkv_bias ? 3 * s.dim : 0};
    case BlockParameter::projection_weight:
      return {s.dim, s.dim};
    case BlockParameter::up_weight:
      return {s.mlp_dim, s.dim};
    case BlockParameter::up_bias:
      return {s.mlp_dim};
    case BlockParameter::down_weight:
      return {s.dim, s.mlp_dim};
    default:
      return {s.dim};
  }
}

std::optional<std::string> refuse_encoder_block(const DeviceCaps& caps, const EncoderBlockShape& s) {
  const AttentionShape attention{s.batch, s.tokens, s.heads, s.dim / s.heads, s.storage};
  const Candidate head_lanes = attention_candidates(caps, attention).front();
  if (head_lanes.refusal) return fmt::format("its attention can't be head_lanes: {}", *head_lanes.refusal);
  return std::nullopt;
}

BlockProducts encoder_block_products(const EncoderBlockShape& s) {
  const auto rows = static_cast<double>(s.batch * s.tokens), live = static_cast<double>(s.batch * s.queries);
  const auto dim = static_cast<double>(s.dim), mlp_dim = static_cast<double>(s.mlp_dim);
  return {.linear = 4 * dim * (rows * dim + live * (dim + mlp_dim)),
          .attention = 4 * live * static_cast<double>(s.tokens) * dim};
}

size_t encoder_block_saved_elements(const EncoderBlockShape& s) {
  return s.batch * (s.tokens * (2 + 3 * s.dim) + s.queries * (s.heads + 2 + 2 * s.dim + 2 * s.mlp_dim));
}

size_t encoder_block_workspace_bytes(const DeviceCaps& caps, const EncoderBlockShape& s) {
  const size_t forward = forward_items(caps, s) * forward_scratch(caps, s, true);
  return std::max(sizeof(float) * forward, slice_bytes(caps, s) + sizeof(float) * backward_scratch(s));
}

size_t encoder_block_unsaved_workspace_bytes(const DeviceCaps& caps, const EncoderBlockShape& s) {
  return sizeof(float) * forward_items(caps, s) * forward_scratch(caps, s, false);
}

void encoder_block_forward(Queue& queue, const EncoderBlockShape& s, const EncoderBlockOptions& options,
                           const Tensor& x, const BlockTensors& parameters, const Tensor& y, const Tensor& saved,
                           const Tensor& workspace) {
  const DeviceCaps& caps = queue.device().caps();
  const bool saves{saved};
  check(caps, s, x, parameters);
  if (saves) expect_bytes(op, "saved", saved, encoder_block_saved_elements(s) * sizeof(float));
  expect_bytes(op, "workspace", workspace,
               saves ? encoder_block_workspace_bytes(caps, s) : encoder_block_unsaved_workspace_bytes(caps, s));
  expect_bytes(op, "y", y, s.batch * s.queries * s.dim * sizeof(float));
  const Mask mask = check_mask(s, options.mask);
  const Drops drops = check_drops(s, options, x);
  const size_t items = forward_items(caps, s);
  const BlockProducts products = encoder_block_products(s);
  const size_t left = saves ? encoder_block_saved_elements(s) : 0;
  const double moved = sizeof(float) * static_cast<double>(left + 2 * x.elements());
  with_tensors(parameters, x, [&](const auto&... p) {
    queue.launch(block_kernel(queue, s, omits(mask, options), "encoder_block_forward"),
                 {{items}, {1}, products.linear + products.attention, moved}, x, p...,
                 mask.tensor == nullptr ? x.buffer() : mask.tensor->buffer(), y, saves ? saved : workspace, workspace,
                 to_int(op, "batch", s.batch), to_int(op, "tokens", s.tokens), to_int(op, "queries", s.queries),
                 to_int(op, "heads", s.heads), to_int(op, "mlp_dim", s.mlp_dim), to_int(op, "leading", mask.leading),
                 options.scale, options.epsilon, int32_t{s.qkv_bias}, to_int(op, "images", group_of(s, items)),
                 drops.draws, options.attention_use, options.mlp_use, drops.path.threshold, drops.path.kept,
                 drops.probabilities.use, drops.probabilities.threshold, drops.probabilities.kept,
                 to_int(op, "scratch", forward_scratch(caps, s, saves)), int32_t{saves});
  });
}

void encoder_block_backward(Queue& queue, const EncoderBlockShape& s, const EncoderBlockOptions& options,
                            const Tensor& dy, const Tensor& x, const BlockTensors& parameters, const Tensor& saved,
                            GradMode input_mode, const Tensor& dx, GradMode parameter_mode,
                            const BlockTensors& gradients, const Tensor& workspace) {
  check(queue.device().caps(), s, x, parameters);
  expect_bytes(op, "saved", saved, encoder_block_saved_elements(s) * sizeof(float));
  expect_bytes(op, "workspace", workspace, encoder_block_workspace_bytes(queue.device().caps(), s));
  expect_bytes(op, "dy", dy, s.batch * s.queries * s.dim * sizeof(float));
  if (dx) expect_shape(op, "dx", dx, x.shape(), "like x");
  check_parameters(s, gradients, "d");
  const Mask mask = check_mask(s, options.mask);
  const Drops drops = check_drops(s, options, x);
  const int64_t omitted = omits(mask, options);
  const size_t slices = slice_count(s), bytes = slice_bytes(queue.device().caps(), s);
  const Buffer scratch = workspace.buffer().slice(bytes, backward_scratch(s) * sizeof(float));
  const Buffer sums = slices == 1 ? scratch : workspace.buffer().slice(0, bytes);
  const BlockProducts products = encoder_block_products(s);
  const double moved = sizeof(float) * static_cast<double>(encoder_block_saved_elements(s) + 3 * x.elements());
  with_tensors(parameters, x, [&](const auto&... p) {
    with_tensors(gradients, x, [&](const auto&... d) {
      queue.launch(block_kernel(queue, s, omitted, "encoder_block_backward"),
                   {{slices}, {1}, 2 * products.linear + 2.5 * products.attention, moved}, dy, x, p...,
                   mask.tensor == nullptr ? x.buffer() : mask.tensor->buffer(), saved, dx ? dx : x, d..., sums, scratch,
                   to_int(op, "batch", s.batch), to_int(op, "tokens", s.tokens), to_int(op, "queries", s.queries),
                   to_int(op, "heads", s.heads), to_int(op, "mlp_dim", s.mlp_dim), to_int(op, "leading", mask.leading),
                   options.scale, options.epsilon, int32_t{s.qkv_bias}, to_int(op, "images", group_of(s, slices)),
                   drops.draws, options.attention_use, options.mlp_use, drops.path.threshold, drops.path.kept,
                   drops.probabilities.use, drops.probabilities.threshold, drops.probabilities.kept, int32_t{bool(dx)},
                   accumulates(input_mode), accumulates(parameter_mode));
    });
  });
  if (slices > 1) add_slices(queue, s, omitted, sums, slices, gradients);
}

}  // namespace vitcl::ops
