#pragma once

#include "vitcl/train/checkpoint.hpp"

namespace vitcl::test {

inline nn::NamedTensors numbered(const models::ViTConfig& model, float first) {
  nn::NamedTensors tensors;
  for (const nn::ParameterSpec& spec : models::vit_graph(model).parameters()) {
    std::vector<float>& values = tensors[spec.name];
    for (size_t i = 0; i < spec.shape.elements(); ++i) values.push_back(first += 0.125F);
  }
  return tensors;
}

/// Two blocks, three classes, and a different number everywhere.
inline train::Checkpoint example_checkpoint() {
  const models::ViTConfig model{.image_size = 8,
                                .patch_size = 4,
                                .classes = 3,
                                .dim = 8,
                                .depth = 2,
                                .heads = 2,
                                .mlp_dim = 12,
                                .pad_value = -0.4242F};
  return {.model = model,
          .parameters = numbered(model, 0),
          .exp_avg = numbered(model, 1),
          .exp_avg_sq = numbered(model, 2),
          .position = {.step = 12, .epochs = 3, .epoch_loss = 0.1 + 0.2, .best_accuracy = 0.9, .best_epoch = 2},
          .pixel_statistics = {.mean = {0.1307F}, .deviation = {0.3081F}},
          .patch_mask = "0111",
          .class_names = {"a", "b", "c"},
          .data = "quarters",
          .data_fingerprint = "0123",
          .device = "a device",
          .border_brightness = 0.125,
          .config = "epochs = 3\n",
          .seed = 18446744073709551615U,
          .batch_size = 8,
          .lr = 0.003};
}

}  // namespace vitcl::test
