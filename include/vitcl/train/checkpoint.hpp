#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "vitcl/models/vit.hpp"
#include "vitcl/nn/parameters.hpp"
#include "vitcl/train/device_samples.hpp"

namespace vitcl::train {

/// Where a run stands.
struct Position {
  size_t step = 0;            ///< optimiser steps taken
  size_t epochs = 0;          ///< epochs trained and evaluated
  double epoch_loss = 0;      ///< sum over the images that the current epoch has trained on so far
  double best_accuracy = -1;  ///< the highest test accuracy so far; -1 before the first evaluation
  size_t best_epoch = 0;
  size_t reductions = 0;     ///< how often --sched plateau has lowered the learning rate
  size_t reduced_epoch = 0;  ///< after which epoch it last did
  bool operator==(const Position&) const = default;
};

/// What a checkpoint file holds. Parameters are under vitcl's own names here and under PyTorch's in the file.
struct Checkpoint {
  models::ViTConfig model;
  nn::NamedTensors parameters;
  nn::NamedTensors exp_avg, exp_avg_sq;  ///< Adam's moments; the former is SGD's velocity
  nn::NamedTensors average = {};         ///< the parameters' moving average; empty where the run keeps none
  Position position;
  PixelStatistics pixel_statistics;
  std::string patch_mask;
  std::vector<std::string> class_names;  ///< one a class, or empty
  std::string data, data_fingerprint, device;
  /// data::border_brightness() of training images; -1 where it is not known, as in files of earlier versions.
  double border_brightness = -1;
  std::string config;  ///< the options that lasting_options() tells; empty in files of earlier versions
  size_t seed = 0, batch_size = 0;
  double lr = 0;

  /// What was measured: the average where there is one.
  const nn::NamedTensors& measured() const { return average.empty() ? parameters : average; }
};

/// Writes a safetensors file under each of `paths`, in this order: the parameters under the names and in the shapes of
/// the article's PyTorch state_dict, Adam's moments as "optimizer.exp_avg.NAME" and "optimizer.exp_avg_sq.NAME", the
/// average as "optimizer.ema.NAME", everything else as text in the file's metadata, with a checksum of each tensor
/// (io/checksums.hpp). No time is stored: equal states give equal bytes. Throws NumericsError, writing nothing, where a
/// value is not finite, and StorageError where a file can't be written.
void save_checkpoint(const std::vector<std::filesystem::path>& paths, const Checkpoint& checkpoint);

/// Throws StorageError naming the file and the tensor or entry that is missing, unknown or of the wrong shape;
/// io::DamagedFile where the file is not what was written, or a value is not finite. Files of earlier versions, which
/// have no checksums, are read too.
Checkpoint load_checkpoint(const std::filesystem::path& path);

/// Throws StorageError naming the first field in which the checkpoint's model differs from `model`.
void require_same_model(const Checkpoint& checkpoint, const models::ViTConfig& model,
                        const std::filesystem::path& path);

/// A class's name, or its number where the checkpoint holds no name of it.
std::string class_name(const Checkpoint& checkpoint, size_t index);

/// About how many bytes save_checkpoint() writes for a model of so many parameters.
size_t checkpoint_bytes(size_t parameters, bool with_average = false);

}  // namespace vitcl::train
