#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vitcl/data/dataset.hpp"
#include "vitcl/io/pretrained.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/train/checkpoint.hpp"
#include "vitcl/train/config.hpp"
#include "vitcl/train/evaluator.hpp"
#include "vitcl/train/metrics.hpp"
#include "vitcl/train/run_folder.hpp"

namespace vitcl::train {

/// How far the current epoch is; reported several times a second.
struct Progress {
  size_t epoch = 0;  ///< counted from 1
  size_t epochs = 0;
  size_t step = 0;  ///< steps of this epoch
  size_t steps = 0;
  double train_loss = 0;  ///< mean over the epoch so far
  double images_per_second = 0;
  double seconds_left = 0;  ///< until the epoch's last step, at this rate
};

/// Is told what a training run does. Every method has an empty default.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_progress(const Progress&) {}
  virtual void on_evaluation_start() {}
  virtual void on_epoch(const EpochMetrics&, bool /*best*/) {}

  // Of a run on several devices, which are counted from 0.

  /// The images of a full batch that each device computes from now on; 0 where it would only slow the run.
  virtual void on_shares(const std::vector<size_t>& /*images*/) {}
  /// A device failed. The others do its part, and again what it had a part in since the state was last kept.
  virtual void on_lost_device(size_t /*device*/, const std::string& /*reason*/) {}
};

enum class Outcome { finished, interrupted };

/// Throws DataError saying what differs where the model can't read the images: side, channels, more classes than it
/// has.
void require_fitting(const models::ViTConfig& model, const data::Dataset& dataset);

/// Loads the data that the configuration names, cut to the samples it asks for. Throws DataError.
data::Dataset load_data(const TrainConfig& config);

/// The same for a new run, whose model takes its image size, channels and classes from the data, unless the options
/// image-size, channels and classes are among the `named`; data "auto" becomes what was found. Pictures in a folder are
/// read in the size and the channels that initial weights are for. Validates the configuration.
data::Dataset load_data(TrainConfig& config, const std::set<std::string>& named);

/// Reads the file that config.initial_checkpoint names and makes its model the configuration's, but for the image size,
/// the channels and the classes where these are among the `named` options. Throws UsageError where another of them
/// contradicts the file, StorageError where it can't be read.
io::Pretrained read_initial_weights(TrainConfig& config, const std::set<std::string>& named);

/// Trains one ViT on one device, or data-parallel on several. The constructor allocates and compiles everything; from
/// then on memory is flat. Same configuration, data, device and driver: same bits, also where the run was interrupted
/// and restored; on several devices that agree to the bit also whatever each of them computed.
class Trainer {
 public:
  /// `device` must outlive the trainer; the data is copied to it, or where it does not fit streamed: then `dataset`
  /// must outlive the trainer too. Throws DataError where data and model don't fit, and DeviceError where the batch
  /// does not fit in memory, with the batch that would.
  Trainer(Device& device, const TrainConfig& config, const data::Dataset& dataset);
  /// One device is the same as above. Of several one may fail at any time: the others go on without it, and with the
  /// last one run() saves what the host keeps and throws DeviceError.
  Trainer(const std::vector<Device*>& devices, const TrainConfig& config, const data::Dataset& dataset);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  const TrainConfig& config() const;
  const Position& position() const;
  /// Whether all epochs are complete, or early stopping has ended the run.
  bool finished() const;
  /// As checkpoints keep them: "NAME, NAME".
  std::string device_names() const;
  size_t steps_per_epoch() const;
  nn::Parameters& parameters();
  /// The plan of a full batch, which knows the memory that a step takes.
  const nn::Plan& plan() const;

  /// Begins with these parameters instead of those drawn; what is missing among them stays as it was drawn. Throws
  /// StorageError where one is unknown or of the wrong size.
  void begin_with(const nn::NamedTensors& parameters);
  /// Goes on from a checkpoint. `source` names it in errors: StorageError where it is of another model, seed or batch
  /// size, DataError where the data is not what it was trained on.
  void restore(const Checkpoint& checkpoint, const std::filesystem::path& source);
  Checkpoint checkpoint();

  /// Trains until finished() or `stop` is set; then the step at hand is finished. With a folder, the
  /// configuration and the state are saved in it before the first step, at every saving point, and at the end.
  /// Throws NumericsError naming step, epoch and parameter where a loss is not finite; what was saved stays.
  Outcome run(const RunFolder* folder, TrainObserver& observer, const std::atomic<bool>& stop);
  /// The same without a folder, an observer or a way to stop.
  void run();

  /// Measures the current parameters on the test images.
  Evaluation evaluate();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The bytes that a run's checkpoints take at most.
size_t run_bytes(const TrainConfig& config, size_t train_samples);

}  // namespace vitcl::train
