#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vitcl/backend/choices.hpp"
#include "vitcl/backend/device.hpp"
#include "vitcl/train/checkpoint.hpp"
#include "vitcl/train/config.hpp"
#include "vitcl/train/environment.hpp"

namespace vitcl::train {

/// A device of a run, and what ops took on it.
struct UsedDevice {
  DeviceInfo info;
  ImplementationNames implementations;
};

/// A checkpoint from which a run goes on.
struct Resumable {
  std::filesystem::path file;
  Checkpoint checkpoint;
  std::vector<std::string> set_aside;  ///< a sentence for each damaged checkpoint that was renamed
};

/// The folder of one training run: config.toml, environment.json, metrics.jsonl, checkpoint-last, checkpoint-best and
/// one checkpoint-SSSSSSSS.safetensors a saved step, of which the newest are kept. Every file but metrics.jsonl is
/// replaced whole or not at all. Failures throw StorageError.
class RunFolder {
 public:
  /// Makes the folder, which must be missing or empty; with `overwrite` the files of an earlier run in it are removed.
  /// `needed_bytes` must be free on its disk.
  static RunFolder create(const std::filesystem::path& path, bool overwrite, size_t needed_bytes);
  /// The same checks without making or removing anything.
  static void check(const std::filesystem::path& path, bool overwrite, size_t needed_bytes);
  /// A folder that create() made.
  static RunFolder open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config_file() const { return path_ / "config.toml"; }
  std::filesystem::path environment_file() const { return path_ / "environment.json"; }
  std::filesystem::path metrics_file() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path last_checkpoint() const { return path_ / "checkpoint-last.safetensors"; }
  std::filesystem::path best_checkpoint() const { return path_ / "checkpoint-best.safetensors"; }
  std::filesystem::path checkpoint(size_t step) const;

  /// The checkpoints there are, in the order in which they are wanted for going on: the last, those of steps from the
  /// newest, the best.
  std::vector<std::filesystem::path> checkpoints() const;
  /// Loads the first of them that is whole. Damaged ones before it are renamed to NAME.damaged, never removed. Empty
  /// where a process was killed before it wrote any. Throws StorageError where none can be read, and renames nothing;
  /// also for one that is not damaged but can't be read.
  std::optional<Resumable> load_newest() const;

  void write_config(const TrainConfig& config) const;
  TrainConfig read_config() const;
  /// The program's version, the system, the environment variables that bear on a run, the devices, and the
  /// implementations that ops took on them.
  void write_environment(const std::vector<UsedDevice>& devices) const;
  /// What write_environment() said the run took on `device`; nothing where it was on others, or has not begun.
  std::optional<ImplementationNames> read_implementations(const DeviceInfo& device) const;

  /// Saves under the step's name and as the best, where wanted, and then as the last. Of the checkpoints of steps the
  /// newest `history` stay, or all where that is 0.
  struct Names {
    bool step = false, best = false;
  };
  void save(const Checkpoint& checkpoint, Names names, size_t history) const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  void remove_old_run() const;
  std::vector<std::filesystem::path> numbered_checkpoints() const;
  std::filesystem::path path_;
};

}  // namespace vitcl::train
