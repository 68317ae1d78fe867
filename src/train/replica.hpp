#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "gradient_sum.hpp"
#include "mixing.hpp"
#include "shards.hpp"
#include "step_program.hpp"
#include "vitcl/data/dataset.hpp"
#include "vitcl/train/config.hpp"
#include "vitcl/train/evaluator.hpp"

namespace vitcl::train {

/// A sum of gradients that a device hands on.
struct GradientPart {
  TreeNode node;
  std::vector<float> values;
};

/// One device's part in a data-parallel run: the data, a copy of the parameters, and recorded programs for shards and
/// for runs of shards that are a whole branch of the sum's tree. The replica that leads also sums what all computed and
/// updates the parameters.
class Replica {
 public:
  /// `alignment` in bytes: that of the flat buffers on every device of the run.
  Replica(Device& device, const TrainConfig& config, const data::Dataset& dataset, size_t alignment);

  nn::Parameters& parameters() { return parameters_; }
  /// The largest plan that was recorded.
  const nn::Plan& plan() const;

  /// Draws the parameters.
  void initialize();
  void load(const FlatState& state) { optimizer_.load(queue_, state); }
  FlatState save() { return optimizer_.save(queue_); }
  bool keeps_average() const { return optimizer_.keeps_average(); }
  void set_values(const std::vector<float>& values);
  std::vector<float> values();

  /// Prepares the steps of an epoch at these learning rates, one a step.
  void begin_epoch(size_t epoch, const std::vector<double>& rates);
  /// Enqueues forward and backward of a step's shards, as many at once as make a branch of the tree of at most
  /// batch_size images, and their sums.
  void compute(size_t step, ShardRange shards);
  /// compute(), and the largest sums: each is fetched while later shards are computed.
  std::vector<GradientPart> compute_and_fetch(size_t step, ShardRange shards);
  void finish() { queue_.finish(); }
  /// Enqueues the rest of the sum, with what the other devices computed of the shards behind, and the update.
  void update(size_t step, const std::vector<GradientPart>& others);
  /// The sum of the last step that this replica updated.
  std::vector<float> gradients();
  /// The mean losses of the shards of `count` steps from `first` on, as many a step as a full batch has; those that
  /// this replica computed.
  std::vector<float> losses(size_t first, size_t count);
  std::optional<Evaluation> evaluate(const std::atomic<bool>& stop) { return evaluator_.run(stop); }

 private:
  /// The number of images in a batch, of those in a branch, and of its shards.
  using ProgramKey = std::tuple<size_t, size_t, size_t>;
  StepProgram& program(const ShardCut& batch, const TreeNode& node);
  void begin_step(size_t step, ShardRange shards);
  void compute_branch(size_t step, const TreeNode& node);
  const ShardCut& cut_of(size_t step) const { return step + 1 == cut_.steps ? last_ : full_; }

  Queue& queue_;
  Queue transfers_;
  TrainConfig config_;
  BatchCut cut_;
  ShardCut full_, last_;
  nn::Parameters parameters_;
  Optimizer optimizer_;
  DeviceSamples train_, test_;
  StepState shards_;   // a row for each shard of each step
  StepState updates_;  // a row for each step
  std::optional<Mixing> mixing_;
  std::map<ProgramKey, StepProgram> programs_;  // recorded when they are first needed
  GradientSum sum_;
  CommandList update_;
  Evaluator evaluator_;
  size_t next_row_ = 0, next_update_ = 0;  // where the cursors are once what was enqueued has run
};

}  // namespace vitcl::train
