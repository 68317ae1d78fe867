#include "vitcl/ops/patch_embed.hpp"

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view op = "patch_embed";

/// What the tensors of embed_tokens agree on.
struct TokenSizes {
  size_t batch, leading, token_stride, patch_stride;  // strides: elements an image
  size_t dim;
};

TokenSizes check_tokens(std::string_view tokens_name, const Tensor& tokens, std::string_view projected_name,
                        const Tensor& projected) {
  expect_rank(op, tokens_name, tokens, 3);
  expect_rank(op, projected_name, projected, 3);
  const Shape &t = tokens.shape(), &p = projected.shape();
  if (t[0] != p[0] || t[2] != p[2] || (t[1] != p[1] && t[1] != p[1] + 1)) {
    throw ShapeError(fmt::format("[{}] {} is {} but {} {} needs ({}, {} or {}, {})", op, tokens_name, t.to_string(),
                                 projected_name, p.to_string(), p[0], p[1], p[1] + 1, p[2]));
  }
  expect_shape(op, projected_name, projected, p, fmt::format("like {}", tokens_name),
               storage_of(op, tokens_name, tokens));
  return {t[0], t[1] - p[1], t[1] * t[2], p[1] * p[2], t[2]};
}

void check_class_token(std::string_view name, const Tensor* class_token, const TokenSizes& sizes) {
  if (class_token == nullptr) return;
  if (sizes.leading == 0) {
    throw ShapeError(fmt::format("[{}] {} is given but the tokens have no room for it", op, name));
  }
  expect_shape(op, name, *class_token, {sizes.dim}, "to be one token");
}

void embed_class_token(Queue& queue, const Tensor& class_token, const Tensor& positions, const Tensor& tokens,
                       const TokenSizes& sizes) {
  const size_t n = sizes.dim;
  const auto split = split_elements(op, queue.device(), n, sizes.batch, 1, tokens.dtype());
  const auto count = static_cast<double>(n * sizes.batch);
  queue.launch(queue.device().kernel(op, "embed_class_token", split.spec()),
               {split.global, split.local, count, 8 * count}, class_token, positions, tokens,
               uint64_t{sizes.token_stride}, uint64_t{n}, split.chunk);
}

void embed_projected(Queue& queue, const Tensor& projected, const Tensor& positions, const Tensor& tokens,
                     const TokenSizes& sizes) {
  const size_t n = sizes.patch_stride;
  const auto split = split_elements(op, queue.device(), n, sizes.batch, 1, tokens.dtype());
  queue.launch(queue.device().kernel(op, "embed_tokens_forward", split.spec()),
               {split.global, split.local, static_cast<double>(n * sizes.batch),
                static_cast<double>(projected.bytes() + tokens.bytes())},
               projected, positions, tokens, uint64_t{sizes.token_stride}, uint64_t{sizes.leading * sizes.dim},
               uint64_t{n}, split.chunk);
}

void sum_over_batch(Queue& queue, const Tensor& dtokens, const TokenSizes& sizes, GradMode mode, const Tensor& out) {
  const size_t n = out.elements();
  const auto split = split_elements(op, queue.device(), n, 1, sizes.batch, dtokens.dtype());
  const auto count = static_cast<double>(n * sizes.batch);
  const auto bytes = static_cast<double>(size_of(dtokens.dtype())) * count;
  queue.launch(queue.device().kernel(op, "embed_tokens_backward_shared", split.spec()),
               {split.global, split.local, count, bytes}, dtokens, uint64_t{sizes.token_stride},
               to_int(op, "the batch", sizes.batch), out, accumulates(mode), uint64_t{n}, split.chunk);
}

}  // namespace

void cut_patches(Queue& queue, const Tensor& images, size_t patch, float pad_value, const Tensor& patches) {
  expect_rank(op, "images", images, 4);
  const size_t batch = images.shape()[0], channels = images.shape()[1], side = images.shape()[2];
  expect_shape(op, "images", images, {batch, channels, side, side}, "as images are square");
  if (patch == 0) throw ShapeError(fmt::format("[{}] the patch size is 0 but must be 1 or more", op));
  const size_t grid = (side + patch - 1) / patch;
  expect_shape(op, "patches", patches, {batch, grid * grid, patch * patch * channels},
               fmt::format("for images {} and patch size {}", images.shape().to_string(), patch),
               storage_of(op, "patches", patches));
  const auto split = split_elements(op, queue.device(), patches.elements(), 1, 1, patches.dtype());
  const auto border = static_cast<int32_t>((grid * patch - side) / 2);
  queue.launch(queue.device().kernel(op, "cut_patches", split.spec()),
               {{grid, grid, batch}, {}, 0, static_cast<double>(images.bytes() + patches.bytes())}, images, patches,
               to_int(op, "the channels", channels), to_int(op, "the side", side), to_int(op, "the patch size", patch),
               border, pad_value);
}

void embed_tokens_forward(Queue& queue, const Tensor& projected, const Tensor* class_token, const Tensor& positions,
                          const Tensor& tokens) {
  const TokenSizes sizes = check_tokens("tokens", tokens, "projected", projected);
  check_class_token("class_token", class_token, sizes);
  if (class_token == nullptr && sizes.leading != 0) {
    throw ShapeError(fmt::format("[{}] tokens is {} but without a class token projected {} needs as many", op,
                                 tokens.shape().to_string(), projected.shape().to_string()));
  }
  expect_shape(op, "positions", positions, {tokens.shape()[1], sizes.dim}, "to fit tokens");
  if (class_token != nullptr) embed_class_token(queue, *class_token, positions, tokens, sizes);
  embed_projected(queue, projected, positions, tokens, sizes);
}

void embed_tokens_backward(Queue& queue, const Tensor& dtokens, GradMode input_mode, const Tensor& dprojected,
                           GradMode parameter_mode, const Tensor* dclass_token, const Tensor* dpositions) {
  const TokenSizes sizes = check_tokens("dtokens", dtokens, "dprojected", dprojected);
  check_class_token("dclass_token", dclass_token, sizes);
  const size_t n = sizes.patch_stride;
  const auto split = split_elements(op, queue.device(), n, sizes.batch, 1, dtokens.dtype());
  const auto bytes = static_cast<double>(dprojected.bytes()) * (2 + accumulates(input_mode));
  queue.launch(queue.device().kernel(op, "embed_tokens_backward_projected", split.spec()),
               {split.global, split.local, 0, bytes}, dtokens, uint64_t{sizes.token_stride},
               uint64_t{sizes.leading * sizes.dim}, dprojected, accumulates(input_mode), uint64_t{n}, split.chunk);
  if (dclass_token != nullptr) sum_over_batch(queue, dtokens, sizes, parameter_mode, *dclass_token);
  if (dpositions != nullptr) {
    expect_shape(op, "dpositions", *dpositions, {dtokens.shape()[1], sizes.dim}, "to fit dtokens");
    sum_over_batch(queue, dtokens, sizes, parameter_mode, *dpositions);
  }
}

}  // namespace vitcl::ops
