#pragma once

#include <chrono>
#include <string>

#include "vitcl/train/trainer.hpp"

namespace vitcl::cli {

/// Shows a training run on stderr: a line an epoch and, on a terminal, a bar for the epoch at hand; elsewhere a plain
/// line now and then. Shows nothing when quiet.
class ProgressView final : public train::TrainObserver {
 public:
  ProgressView(bool quiet, size_t epochs);
  ~ProgressView() override;

  void on_progress(const train::Progress& progress) override;
  void on_evaluation_start() override;
  void on_epoch(const train::EpochMetrics& metrics, bool best) override;

 private:
  void draw(const std::string& line);
  void clear();
  bool quiet_, bar_, colour_, unicode_;
  size_t epochs_;
  bool header_printed_ = false, drawn_ = false;
  std::chrono::steady_clock::time_point last_line_;
};

}  // namespace vitcl::cli
