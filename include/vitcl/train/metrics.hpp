#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace vitcl::train {

/// One optimiser step, counted from 1; `train_loss` is the batch's mean loss before the update.
struct StepMetrics {
  size_t step = 0;
  size_t epoch = 0;  ///< counted from 1
  double train_loss = 0;
  double lr = 0;
};

/// One epoch, counted from 1. Times and the rate cover what this process ran of it; evaluation is timed apart.
struct EpochMetrics {
  size_t epoch = 0;
  double train_loss = 0;  ///< mean over the epoch's images, each at the step that used it
  double test_loss = 0;
  double test_accuracy = 0;  ///< 0 to 1
  double train_images_per_second = 0;
  double train_seconds = 0;
  double test_seconds = 0;
  /// The share of train_seconds in which the device waited for images, 0 to 1; empty where none are streamed.
  std::optional<double> data_wait = {};
};

/// metrics.jsonl: one flat JSON object a line, a step's or an epoch's. The file is locked while the log is open.
class MetricsLog {
 public:
  /// Opens `path` and drops every line behind `steps` steps and `epochs` epochs, and a line that a killed process left
  /// half written. Throws StorageError where the file can't be written or another process has it open.
  MetricsLog(const std::filesystem::path& path, size_t steps, size_t epochs);

  void add(const StepMetrics& metrics);
  void add(const EpochMetrics& metrics);
  /// Hands what was added to the operating system and waits until it is on the disk. Throws StorageError.
  void sync();

 private:
  void write(const std::string& line);
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace vitcl::train
