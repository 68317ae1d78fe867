#pragma once

#include <fmt/format.h>

#include "selftest/cases/implementations.hpp"
#include "selftest/cases/op_case.hpp"
#include "selftest/reference/patch_embed.hpp"
#include "vitcl/ops/patch_embed.hpp"

namespace vitcl::selftest {

struct CutPatchesCase final : OpCase {
  size_t batch, channels, side, patch;
  CutPatchesCase(size_t batch_, size_t channels_, size_t side_, size_t patch_)
      : batch(batch_), channels(channels_), side(side_), patch(patch_) {}

  std::string name() const override { return fmt::format("cut_{}x{}x{}_patch{}", batch, channels, side, patch); }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const size_t grid = (side + patch - 1) / patch;
    return {{"images", Role::input, {batch, channels, side, side}},
            {"patches", Role::output, {batch, grid * grid, patch * patch * channels}}};
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::cut_patches(queue, t["images"], patch, pad_value, t["patches"]);
  }
  void reference_forward(Values& v) const override {
    reference::cut_patches<double>(v["images"], batch, channels, side, patch, pad_value, v["patches"]);
  }
  Tolerance tolerance(std::string_view) const override { return exact(); }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("patch_embed", info);
  }
  Cost forward_cost() const override { return {0, 8.0 * static_cast<double>(batch * channels * side * side)}; }

 private:
  static constexpr float pad_value = -0.5F;
};

struct EmbedTokensCase final : OpCase {
  size_t batch, patches, dim;
  bool class_token, learned_positions;
  EmbedTokensCase(size_t batch_, size_t patches_, size_t dim_, bool class_token_, bool learned_positions_)
      : batch(batch_), patches(patches_), dim(dim_), class_token(class_token_), learned_positions(learned_positions_) {}

  std::string name() const override {
    return fmt::format("embed_{}x{}x{}{}{}", batch, patches, dim, class_token ? "_cls" : "",
                       learned_positions ? "" : "_fixed");
  }
  std::vector<Field> fields(const DeviceCaps&) const override {
    const size_t tokens = patches + (class_token ? 1 : 0);
    std::vector<Field> list = {{"projected", Role::input, {batch, patches, dim}},
                               {"positions", Role::input, {tokens, dim}},
                               {"tokens", Role::output, {batch, tokens, dim}},
                               {"dtokens", Role::upstream, {batch, tokens, dim}},
                               {"dprojected", Role::gradient, {batch, patches, dim}}};
    if (class_token) {
      list.push_back({"class_token", Role::input, {dim}});
      list.push_back({"dclass_token", Role::parameter_gradient, {dim}});
    }
    if (learned_positions) list.push_back({"dpositions", Role::parameter_gradient, {tokens, dim}});
    return list;
  }
  void forward(Queue& queue, const Tensors& t) const override {
    ops::embed_tokens_forward(queue, t["projected"], class_token ? &t["class_token"] : nullptr, t["positions"],
                              t["tokens"]);
  }
  void backward(Queue& queue, const Tensors& t, GradModes modes) const override {
    ops::embed_tokens_backward(queue, t["dtokens"], modes.input, t["dprojected"], modes.parameter,
                               class_token ? &t["dclass_token"] : nullptr,
                               learned_positions ? &t["dpositions"] : nullptr);
  }
  void reference_forward(Values& v) const override {
    const std::vector<double> none;
    reference::embed_tokens_forward<double>(v["projected"], class_token ? v["class_token"] : none, v["positions"],
                                            v["tokens"]);
  }
  void reference_backward(Values& v) const override {
    std::vector<double> no_class_token, fixed_positions(v["positions"].size());
    reference::embed_tokens_backward<double>(v["dtokens"], v["dprojected"],
                                             class_token ? v["dclass_token"] : no_class_token,
                                             learned_positions ? v["dpositions"] : fixed_positions);
  }
  /// One addition; copies; sums over the batch.
  Tolerance tolerance(std::string_view name) const override {
    if (name == "tokens") return rounded(1);
    return name == "dprojected" ? exact() : sum_of(batch);
  }
  bool exact_on_integers() const override { return true; }
  std::vector<std::string> implementations(const DeviceInfo& info) const override {
    return elementwise_shapes("patch_embed", info);
  }
  Cost forward_cost() const override { return {elements(), 8 * elements()}; }
  Cost backward_cost() const override { return {elements(), 12 * elements()}; }
  double elements() const { return static_cast<double>(batch * patches * dim); }
};

inline CaseList patch_embed_cases() {
  CaseList list = make_cases<CutPatchesCase>(
      {{1, 1, 1, 1}, {2, 1, 6, 3}, {2, 3, 7, 4}, {3, 2, 5, 7}, {3, 1, 28, 16}, {5, 3, 31, 5}, {100, 1, 28, 7}});
  const CaseList embed = make_cases<EmbedTokensCase>({{1, 1, 1, true, true},
                                                      {2, 3, 5, false, true},
                                                      {3, 4, 17, true, false},
                                                      {7, 5, 48, true, true},
                                                      {2, 9, 31, false, false},
                                                      {100, 16, 64, true, true}});
  list.insert(list.end(), embed.begin(), embed.end());
  return list;
}

}  // namespace vitcl::selftest
