#pragma once

#include "console.hpp"
#include "vitcl/train/tuner.hpp"

namespace vitcl::cli {

/// What the tuner found for a device earlier. A note tells what in its file was ignored.
TuningStore::Loaded load_tuning(const DeviceInfo& device, const Notes& note);

/// What a run on the device shall take, as its `tune` says.
ImplementationNames wanted_implementations(const DeviceInfo& device, const train::TrainConfig& config,
                                           const Notes& note);

/// How this program measures candidates on a device: it starts itself.
train::TunerOptions tuner_options(const DeviceInfo& device);

/// Shows a search on stderr: a line for each choice and each candidate that failed.
class TuningView final : public train::TuningObserver {
 public:
  explicit TuningView(const Notes& note) : note_(note), terminal_(!note.quiet() && is_terminal(stderr)) {}
  ~TuningView() override { clear(); }

  void on_start(const train::StepChoice& choice) override;
  void on_tuned(const train::TunedChoice& choice) override;
  void on_left_out(const train::LeftOut& candidate) override;

 private:
  void clear() const;
  const Notes& note_;
  bool terminal_;
};

}  // namespace vitcl::cli
