#include "attention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "checks.hpp"
#include "dropout.hpp"
#include "launch.hpp"
#include "vitcl/ops/implementation.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "attention";
constexpr std::array<std::string_view, 3> names = {"head_lanes", "lanes", "work_group"};

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

std::optional<std::string> refuse_lanes(const DeviceCaps& caps, const AttentionShape& shape) {
  if (caps.type != DeviceType::cpu) return "it is for CPU devices";
  if (caps.small_kernels_only) return "the device's compiler can't digest its kernels";
  return refuse_half(shape.storage);
}

// Beyond this size the keys, values and their gradients of LANES heads leave the caches (measured:
// docs/performance.md). Loops over a head are unrolled: with 128 Intel's compiler takes more than 8 minutes and 1.7 GB.
std::optional<std::string> refuse_head_lanes(const DeviceCaps& caps, const AttentionShape& shape) {
  constexpr size_t most = 448, largest_head = 64;
  if (auto reason = refuse_lanes(caps, shape)) return reason;
  if (shape.head_dim > largest_head) {
    return fmt::format("the head size {} is more than {}", shape.head_dim, largest_head);
  }
  if (shape.tokens * shape.head_dim <= most) return std::nullopt;
  return fmt::format("{} tokens x head size {} is more than {}", shape.tokens, shape.head_dim, most);
}

const std::string& choose(Device& device, const AttentionShape& shape) {
  const auto sizes = fmt::format("{}x{}x{}x{}{}", shape.batch, shape.tokens, shape.heads, shape.head_dim,
                                 shape.drops ? "_dropout" : "");
  return choose_implementation(device, {std::string(op), shape_name(sizes, shape.storage)},
                               [&] { return attention_candidates(device.caps(), shape); });
}

/// Local memory of `work_group`: TILE rows of keys and of values.
size_t tile_rows(const DeviceCaps& caps, const AttentionShape& shape) {
  constexpr size_t most = 32;
  const size_t row_bytes = 2 * shape.head_dim * sizeof(float);
  if (row_bytes > caps.local_bytes) {
    throw ShapeError(fmt::format("[{}] heads of size {} need {} bytes of local memory but the device has {}", op,
                                 shape.head_dim, row_bytes, caps.local_bytes));
  }
  size_t rows = most;
  while (rows > 1 && rows * row_bytes > caps.local_bytes) rows /= 2;
  return rows;
}

size_t group_size(const DeviceCaps& caps, size_t tokens) {
  constexpr size_t least = 8, most = 64;
  size_t size = least;
  while (size < tokens && size < most) size *= 2;
  return std::min(size, caps.max_work_group);
}

struct Checked {
  AttentionShape shape;
  size_t leading;
  const Tensor* mask;  ///< null where nothing can be masked
};

/// Kernels of one implementation, compiled for one shape, and how they are launched.
class Attention {
 public:
  Attention(Queue& queue, const Checked& checked, const AttentionOptions& options, const Tensor& other)
      : queue_(queue),
        shape_(checked.shape),
        leading_(to_int(op, "the leading tokens", checked.leading)),
        masked_(checked.mask != nullptr),
        mask_(masked_ ? checked.mask->buffer() : other.buffer()),
        dropout_(dropout_arguments(op, options.dropout)),
        draws_(shape_.drops ? options.draws->buffer() : other.buffer()),
        name_(choose(queue.device(), shape_)) {}

  bool is_head_lanes() const { return name_ == "head_lanes"; }
  /// Whether `lanes` goes backward head by head, in five products, rather than in two passes over blocks of tokens:
  /// seven products, but many work-items. Both give the same bits, so that the compute units may decide, of which one
  /// may get a head more than its share.
  bool goes_head_by_head(GradMode mode) const {
    const bool possible = name_ == "lanes" && mode == GradMode::overwrite && shape_.head_dim % 8 == 0;
    const size_t units = queue_.device().caps().compute_units;
    return possible && 5 * units * std::min(pairs(), 1 + pairs() / units) <= 7 * pairs();
  }
  size_t pairs() const { return shape_.batch * shape_.heads; }
  int32_t tokens() const { return to_int(op, "tokens", shape_.tokens); }
  int32_t heads() const { return to_int(op, "heads", shape_.heads); }
  int32_t leading() const { return leading_; }
  /// The images, for `head_lanes`, whose lanes may be fewer than a vector's.
  int32_t batch() const { return to_int(op, "batch", shape_.batch); }
  /// The mask, or what stands for it where the kernel does not read it.
  const Buffer& mask() const { return mask_; }

  /// `arguments`: those that all implementations take.
  template <class... Arguments>
  void launch(std::string_view entry, const LaunchShape& shape, const Arguments&... arguments) const {
    queue_.launch(kernel(entry), shape, arguments..., draws_, dropout_.use, dropout_.threshold, dropout_.kept);
  }

  /// `products`: multiplications of (tokens, tokens) by D; `moved`: tensors of (batch, tokens, dim) read and written.
  LaunchShape launch_shape(double products, double moved) const {
    const double elements = static_cast<double>(pairs() * shape_.tokens * shape_.head_dim);
    const double flops = 2 * products * elements * static_cast<double>(shape_.tokens);
    const double bytes = static_cast<double>(size_of(shape_.storage)) * moved * elements;
    if (name_ == "work_group") {
      const size_t group = group_size(queue_.device().caps(), shape_.tokens);
      return {{pairs() * divide_up(shape_.tokens, group) * group}, {group}, flops, bytes};
    }
    if (name_ == "lanes") return {{pairs() * divide_up(shape_.tokens, wide_width)}, {1}, flops, bytes};
    return {{divide_up(pairs(), static_cast<size_t>(head_lanes()))}, {1}, flops, bytes};
  }

 private:
  static constexpr int wide_width = 16;
  Kernel kernel(std::string_view entry) const {
    const DeviceCaps& caps = queue_.device().caps();
    const bool wide = caps.native_float_width >= wide_width;
    auto spec = KernelSpec()
                    .define("HEAD_DIM", to_int(op, "the head size", shape_.head_dim))
                    .define("MASKED", masked_ ? 1 : 0)
                    .define("DROPOUT", shape_.drops ? 1 : 0);
    if (name_ == "work_group") {
      return queue_.device().kernel(
          "attention", entry,
          with_storage(std::move(spec)
                           .define("GROUP", static_cast<int64_t>(group_size(caps, shape_.tokens)))
                           .define("TILE", static_cast<int64_t>(tile_rows(caps, shape_))),
                       shape_.storage));
    }
    if (name_ == "lanes") {
      // As many products as registers hold beside their factors: 16 registers of 8 floats, or 32 of 16.
      return queue_.device().kernel("attention_lanes", entry,
                                    std::move(spec).define("LANES", wide_width).define("ROW_TILE", wide ? 8 : 6));
    }
    return queue_.device().kernel("attention_head_lanes", entry,
                                  std::move(spec)
                                      .define("LANES", head_lanes())
                                      .define("MAX_TOKENS", static_cast<int64_t>(align_up(shape_.tokens, 8))));
  }

  int64_t head_lanes() const { return queue_.device().caps().native_float_width >= wide_width ? wide_width : 8; }

  Queue& queue_;
  AttentionShape shape_;
  int32_t leading_;
  bool masked_;
  Buffer mask_;
  DropoutArguments dropout_;
  Buffer draws_;  ///< like the mask
  std::string name_;
};

Checked check(const Tensor& qkv, const Tensor& out, const Tensor& logsumexp, const AttentionOptions& options) {
  expect_rank(op, "qkv", qkv, 3);
  const size_t batch = qkv.shape()[0], tokens = qkv.shape()[1], dim = qkv.shape()[2] / 3;
  if (qkv.shape()[2] % 3 != 0 || options.heads == 0 || dim % options.heads != 0) {
    throw ShapeError(fmt::format("[{}] qkv is {} but its last axis must be 3 x heads x head size for {} heads", op,
                                 qkv.shape().to_string(), options.heads));
  }
  const DType storage = storage_of(op, "qkv", qkv);
  expect_shape(op, "out", out, {batch, tokens, dim}, "to fit qkv", storage);
  expect_shape(op, "logsumexp", logsumexp, {batch, options.heads, tokens}, "to fit qkv");
  const bool drops = options.dropout.rate > 0;
  if (drops && options.draws == nullptr) throw UsageError(fmt::format("[{}] dropout needs draws", op));
  if (drops) expect_draws(op, *options.draws, batch);
  Checked checked{{batch, tokens, options.heads, dim / options.heads, storage, drops}, tokens, nullptr};
  if (options.mask == nullptr) return checked;
  const Shape& mask = options.mask->shape();
  if (mask.rank() != 2 || mask[0] != batch || mask[1] > tokens || options.mask->dtype() != DType::u8) {
    throw ShapeError(fmt::format("[{}] mask is {} {} but must be ({}, {} or less) u8 to fit qkv", op, mask.to_string(),
                                 to_string(options.mask->dtype()), batch, tokens));
  }
  checked.leading = tokens - mask[1];
  if (mask[1] > 0) checked.mask = options.mask;
  return checked;
}

}  // namespace

std::vector<Candidate> attention_candidates(const DeviceCaps& caps, const AttentionShape& shape) {
  return {{std::string(names[0]), refuse_head_lanes(caps, shape)},
          {std::string(names[1]), refuse_lanes(caps, shape)},
          {std::string(names[2]), std::nullopt}};
}

void attention_forward(Queue& queue, const Tensor& qkv, const AttentionOptions& options, const Tensor& out,
                       const Tensor& logsumexp) {
  const Checked checked = check(qkv, out, logsumexp, options);
  const Attention attention(queue, checked, options, qkv);
  const LaunchShape launch = attention.launch_shape(2, 4);
  const Buffer& mask = attention.mask();
  if (attention.is_head_lanes()) {
    attention.launch("attention_forward", launch, qkv, mask, out, logsumexp, options.scale, attention.batch(),
                     attention.tokens(), attention.heads(), attention.leading());
  } else {
    attention.launch("attention_forward", launch, qkv, mask, out, logsumexp, options.scale, attention.tokens(),
                     attention.heads(), attention.leading());
  }
}

size_t attention_workspace_bytes(size_t batch, size_t tokens, size_t heads) {
  return batch * tokens * heads * sizeof(float);
}

void attention_backward(Queue& queue, const Tensor& dout, const Tensor& qkv, const Tensor& out, const Tensor& logsumexp,
                        const AttentionOptions& options, GradMode mode, const Tensor& dqkv, const Tensor& workspace) {
  const Checked checked = check(qkv, out, logsumexp, options);
  const AttentionShape& shape = checked.shape;
  expect_shape(op, "dout", dout, out.shape(), "like out", shape.storage);
  expect_shape(op, "dqkv", dqkv, qkv.shape(), "like qkv", shape.storage);
  expect_bytes(op, "workspace", workspace, attention_workspace_bytes(shape.batch, shape.tokens, shape.heads));
  const Attention attention(queue, checked, options, qkv);
  const Buffer& mask = attention.mask();
  const double written = 1 + accumulates(mode);
  if (attention.is_head_lanes()) {
    attention.launch("attention_backward", attention.launch_shape(5, 5 + 3 * written), dout, qkv, out, logsumexp, mask,
                     dqkv, options.scale, attention.batch(), attention.tokens(), attention.heads(), attention.leading(),
                     accumulates(mode));
    return;
  }
  if (attention.goes_head_by_head(mode)) {
    LaunchShape launch = attention.launch_shape(5, 8);
    launch.global = {attention.pairs()};
    attention.launch("attention_backward_head", launch, dout, qkv, out, logsumexp, mask, dqkv, workspace, options.scale,
                     attention.tokens(), attention.heads(), attention.leading());
    return;
  }
  attention.launch("attention_backward_query", attention.launch_shape(3, 5 + written), dout, qkv, out, logsumexp, mask,
                   dqkv, workspace, options.scale, attention.tokens(), attention.heads(), attention.leading(),
                   accumulates(mode));
  attention.launch("attention_backward_key", attention.launch_shape(4, 4 + 2 * written), dout, qkv, logsumexp,
                   workspace, mask, dqkv, options.scale, attention.tokens(), attention.heads(), attention.leading(),
                   accumulates(mode));
}

}  // namespace vitcl::ops
