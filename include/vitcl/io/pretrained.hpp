#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "vitcl/io/parameter_names.hpp"

namespace vitcl::io {

/// A trained model as another program, or vitcl, saved it.
struct Pretrained {
  Dialect dialect = Dialect::article;
  models::ViTConfig model = {};
  nn::NamedTensors parameters = {};  ///< under vitcl's names; the moving average where a checkpoint of vitcl has one
  bool averaged = false;             ///< they are such an average
  bool headless = false;             ///< a backbone: `parameters` lack the head, and `model.classes` is 1

  // What checkpoints of vitcl also tell; empty for others.
  std::string patch_mask = {};                   ///< without which the model computes something else
  std::vector<std::string> class_names = {};     ///< one a class
  std::vector<float> mean = {}, deviation = {};  ///< of pixels / 255, one a channel: how images are normalised
};

/// Reads a safetensors file, or a `*.safetensors.index.json` that names the files of a sharded model. The dialect is
/// told by the tensors' names, the model's sizes by their shapes. What shapes do not tell comes from
///   - vitcl's own checkpoints: their metadata;
///   - Hugging Face's models: the config.json beside the file, which must agree with the shapes;
///   - timm's: by a config.json beside the file, if there is one, how it pools; else by fc_norm or the class token;
///   - others: `heads`, or where it is 0 the published number for widths 192, 384, 768, 1024 and 1280 (timm,
///     torchvision); the dialect's own epsilon and attention scale.
/// Throws StorageError with the reason where a file can't be read or its model not be expressed exactly, naming every
/// tensor that is missing, unknown or of another shape; UsageError where the heads are unknown.
Pretrained read_pretrained(const std::filesystem::path& path, size_t heads = 0);

/// Throws UsageError for a backbone without a classifier, saying what to do.
void require_head(const Pretrained& weights);

/// Writes the parameters as F32 under the dialect's names, for Hugging Face with a config.json beside the file. Throws
/// UsageError with the reason where the dialect's model would compute something else, or where a config.json lies there
/// that says something else; StorageError where a file can't be written.
void write_pretrained(const std::filesystem::path& path, Dialect dialect, const Pretrained& weights);

}  // namespace vitcl::io
