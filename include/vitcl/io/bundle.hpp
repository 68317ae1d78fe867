#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "vitcl/io/host_tensor.hpp"
#include "vitcl/io/parameter_names.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::io {

/// What PyTorch computes in float64 for one model and batch: the yardstick of `vitcl verify`. One safetensors file
/// whose metadata "config" is JSON, with tensors param.*, grad.*, adam1.*, input.* and output.*.
struct Bundle {
  models::ViTConfig config;
  Dialect dialect = Dialect::article;
  float lr = 0.003F;  ///< Adam's, with betas 0.9 and 0.999 and epsilon 1e-8
  float label_smoothing = 0;
  size_t batch = 0;

  std::vector<float> images;      ///< (batch, channels, image_size, image_size), normalised, not padded
  std::vector<int32_t> labels;    ///< (batch)
  std::vector<uint8_t> mask;      ///< (batch, patches), 1 = visible; empty unless config.masked
  std::vector<float> logits;      ///< (batch, classes)
  float loss = 0;                 ///< mean cross-entropy
  std::array<float, 5> losses{};  ///< before each of five Adam steps on this batch

  // Under the dialect's names, without param., grad. and adam1.; import_parameters() gives vitcl's.
  HostTensors parameters;
  HostTensors gradients;  ///< of the mean loss
  HostTensors adam1;      ///< parameters after one Adam step with `gradients`
};

/// Throws DataError naming the file and the cause where it is unreadable, incomplete or contradicts itself.
Bundle read_bundle(const std::filesystem::path& path);

}  // namespace vitcl::io
