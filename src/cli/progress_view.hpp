#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "vitcl/train/trainer.hpp"

namespace vitcl::cli {

/// Shows a training run on stderr: a line an epoch and, on a terminal, a bar for the epoch at hand; elsewhere a plain
/// line now and then. Shows nothing when quiet.
class ProgressView final : public train::TrainObserver {
 public:
  /// `devices`: the names of a run's devices.
  ProgressView(bool quiet, size_t epochs, std::vector<std::string> devices);
  ~ProgressView() override;

  void on_progress(const train::Progress& progress) override;
  void on_evaluation_start() override;
  void on_epoch(const train::EpochMetrics& metrics, bool best) override;
  void on_shares(const std::vector<size_t>& images) override;
  /// Shown also when quiet.
  void on_lost_device(size_t device, const std::string& reason) override;

 private:
  void draw(const std::string& line);
  void clear();
  bool quiet_, bar_, colour_, unicode_;
  size_t epochs_;
  std::vector<std::string> devices_;
  size_t lost_ = 0;
  bool header_printed_ = false, drawn_ = false;
  std::chrono::steady_clock::time_point last_line_;
};

}  // namespace vitcl::cli
