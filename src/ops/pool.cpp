#include "vitcl/ops/pool.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "pool";

/// A launch over the features (dimension 0) of every image (dimension 1).
struct PoolLaunch {
  size_t batch, tokens, dim;
  DType storage;
  ElementSplit split;

  PoolLaunch(Queue& queue, std::string_view tokens_name, const Tensor& tokens_, std::string_view pooled_name,
             const Tensor& pooled)
      : batch(0), tokens(0), dim(0), storage(storage_of(op, tokens_name, tokens_)), split() {
    expect_rank(op, tokens_name, tokens_, 3);
    batch = tokens_.shape()[0];
    tokens = tokens_.shape()[1];
    dim = tokens_.shape()[2];
    expect_shape(op, pooled_name, pooled, {batch, dim}, fmt::format("to fit {}", tokens_name), storage);
    split = split_elements(op, queue.device(), dim, batch, 1, storage);
  }
  LaunchShape shape(double tokens_moved) const {
    const auto elements = static_cast<double>(batch * dim);
    return {split.global, split.local, tokens_moved * elements,
            static_cast<double>(size_of(storage)) * (tokens_moved + 1) * elements};
  }
};

/// The number of patches behind the leading tokens, to which the mask must fit.
int32_t check_mask(const PoolLaunch& launch, size_t leading, const Tensor* mask) {
  if (leading > launch.tokens) {
    throw ShapeError(fmt::format("[{}] there are {} tokens but {} leading ones", op, launch.tokens, leading));
  }
  const size_t patches = launch.tokens - leading;
  if (mask != nullptr) {
    expect_shape(op, "mask", *mask, {launch.batch, patches}, "to fit the tokens behind the leading ones", DType::u8);
  }
  return to_int(op, "the patches", patches);
}

}  // namespace

void cls_pool_forward(Queue& queue, const Tensor& tokens, const Tensor& y) {
  const PoolLaunch launch(queue, "tokens", tokens, "y", y);
  queue.launch(queue.device().kernel(op, "cls_pool_forward", launch.split.spec()), launch.shape(1), tokens, y,
               to_int(op, "the tokens", launch.tokens), uint64_t{launch.dim}, launch.split.chunk);
}

void cls_pool_backward(Queue& queue, const Tensor& dy, GradMode mode, const Tensor& dtokens) {
  const PoolLaunch launch(queue, "dtokens", dtokens, "dy", dy);
  const double moved = mode == GradMode::accumulate ? 2 : static_cast<double>(launch.tokens);
  queue.launch(queue.device().kernel(op, "cls_pool_backward", launch.split.spec()), launch.shape(moved), dy, dtokens,
               accumulates(mode), to_int(op, "the tokens", launch.tokens), uint64_t{launch.dim}, launch.split.chunk);
}

void mean_pool_forward(Queue& queue, const Tensor& tokens, size_t leading, const Tensor* mask, const Tensor& y) {
  const PoolLaunch launch(queue, "tokens", tokens, "y", y);
  const int32_t patches = check_mask(launch, leading, mask);
  const Tensor& visible = mask != nullptr ? *mask : tokens;
  queue.launch(queue.device().kernel(op, "mean_pool_forward", launch.split.spec()), launch.shape(patches), tokens,
               visible, int32_t{mask != nullptr}, to_int(op, "the leading tokens", leading), patches, y,
               uint64_t{launch.dim}, launch.split.chunk);
}

void mean_pool_backward(Queue& queue, const Tensor& dy, size_t leading, const Tensor* mask, GradMode mode,
                        const Tensor& dtokens) {
  const PoolLaunch launch(queue, "dtokens", dtokens, "dy", dy);
  const int32_t patches = check_mask(launch, leading, mask);
  const Tensor& visible = mask != nullptr ? *mask : dy;
  const double moved = static_cast<double>(launch.tokens) * (1 + accumulates(mode));
  queue.launch(queue.device().kernel(op, "mean_pool_backward", launch.split.spec()), launch.shape(moved), dy, visible,
               int32_t{mask != nullptr}, to_int(op, "the leading tokens", leading), patches, dtokens, accumulates(mode),
               uint64_t{launch.dim}, launch.split.chunk);
}

}  // namespace vitcl::ops
