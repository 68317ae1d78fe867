#include "replica.hpp"

#include <algorithm>

#include "single_device.hpp"
#include "vitcl/data/sampling.hpp"
#include "vitcl/ops/batch.hpp"

namespace vitcl::train {

Replica::Replica(Device& device, const TrainConfig& config, const data::Dataset& dataset, size_t alignment)
    : queue_(device.queue()),
      transfers_(device),
      lr_(config.lr),
      seed_(config.seed),
      cut_(dataset.train.count, config.batch_size),
      full_(cut_.full),
      last_(cut_.last),
      parameters_(device, models::vit_training_graph(config.training_model()).parameters(), alignment),
      adam_(new_adam_state(queue_, parameters_)),
      train_(upload_split(queue_, dataset.train, dataset)),
      test_(upload_split(queue_, dataset.test, dataset)),
      shards_(device, train_.count(), cut_.steps * full_.count()),
      updates_(device, 1, cut_.steps),
      sum_(queue_, parameters_.values().elements(), full_.count()),
      evaluator_(config.evaluation_model(), config.patch_mask, parameters_, queue_, test_, evaluation_batch(config)) {
  record(config, full_);
  if (cut_.last != cut_.full) record(config, last_);
  update_ = queue_.record([&] {
    ops::adam(queue_, sum_.slot(0), adam_.options, updates_.table, updates_.cursor, parameters_.values(), adam_.exp_avg,
              adam_.exp_avg_sq);
    ops::advance(queue_, updates_.cursor);
  });
}

/// A program for each size of the batch's shards.
void Replica::record(const TrainConfig& config, const ShardCut& batch) {
  const nn::Graph graph =
      models::vit_training_graph(config.training_model(), static_cast<float>(config.smoothing), batch.batch());
  const nn::PlanOptions options{.mode = nn::Mode::training, .recompute = config.recompute, .fuse = config.fuse};
  for (size_t shard = 0; shard < batch.count(); ++shard) {
    const std::pair key(batch.batch(), batch.images(shard));
    if (programs_.contains(key)) continue;
    programs_.emplace(key, StepProgram(graph, parameters_, queue_, batch.images(shard), train_, shards_,
                                       mask_source(config), options));
  }
}

void Replica::load(const FlatState& state) {
  upload<float>(queue_, state.values, parameters_.values());
  upload<float>(queue_, state.exp_avg, adam_.exp_avg);
  upload<float>(queue_, state.exp_avg_sq, adam_.exp_avg_sq);
}

FlatState Replica::save() {
  return {.values = values(),
          .exp_avg = download<float>(queue_, adam_.exp_avg),
          .exp_avg_sq = download<float>(queue_, adam_.exp_avg_sq)};
}

void Replica::set_values(const std::vector<float>& values) { upload<float>(queue_, values, parameters_.values()); }

std::vector<float> Replica::values() { return download<float>(queue_, parameters_.values()); }

void Replica::begin_epoch(size_t epoch) {
  std::vector<ops::StepEntry> rows(cut_.steps * full_.count()), updates(cut_.steps);
  for (size_t step = 0; step < cut_.steps; ++step) {
    const size_t t = epoch * cut_.steps + step + 1;
    updates[step] = step_entry(adam_.options, lr_, t, 0);
    const ShardCut& batch = cut_of(step);
    for (size_t shard = 0; shard < batch.count(); ++shard) {
      rows[step * full_.count() + shard] = step_entry(adam_.options, lr_, t, step * cut_.full + batch.begin(shard));
    }
  }
  shards_.write_order(queue_, data::epoch_order(train_.count(), seed_, epoch));
  shards_.write_table(queue_, rows);
  shards_.write_epoch(queue_, epoch);
  updates_.write_table(queue_, updates);
  shards_.write_cursor(queue_, next_row_ = 0);
  updates_.write_cursor(queue_, next_update_ = 0);
}

void Replica::begin_step(size_t step, ShardRange shards) {
  sum_.clear();
  const size_t row = step * full_.count() + shards.first;
  if (row != next_row_) shards_.write_cursor(queue_, row);
  next_row_ = row + shards.end - shards.first;
}

void Replica::compute_shard(size_t step, size_t shard) {
  const ShardCut& batch = cut_of(step);
  programs_.at({batch.batch(), batch.images(shard)}).run();
  sum_.add(shard, parameters_.gradients());
}

void Replica::compute(size_t step, ShardRange shards) {
  begin_step(step, shards);
  for (size_t shard = shards.first; shard < shards.end; ++shard) compute_shard(step, shard);
}

std::vector<GradientPart> Replica::compute_and_fetch(size_t step, ShardRange shards) {
  const std::vector<TreeNode> sums = largest_sums(shards);
  std::vector<Mark> ready;
  begin_step(step, shards);
  for (size_t shard = shards.first; shard < shards.end; ++shard) {
    compute_shard(step, shard);
    if (shard + 1 == sums[ready.size()].end()) ready.push_back(queue_.mark());
  }
  std::vector<GradientPart> parts;
  for (size_t i = 0; i < sums.size(); ++i) {
    ready[i].wait();
    parts.push_back({sums[i], download<float>(transfers_, sum_.slot(i))});
  }
  return parts;
}

void Replica::update(size_t step, const std::vector<GradientPart>& others) {
  for (const GradientPart& part : others) sum_.add(part.node, part.values);
  sum_.total();
  if (step != next_update_) updates_.write_cursor(queue_, step);
  next_update_ = step + 1;
  queue_.replay(update_);
}

std::vector<float> Replica::gradients() { return download<float>(queue_, sum_.slot(0)); }

std::vector<float> Replica::losses(size_t first, size_t count) {
  const size_t rows = full_.count();
  std::vector<float> losses(count * rows);
  queue_.read(shards_.losses.buffer(), losses.data(), losses.size() * sizeof(float), first * rows * sizeof(float));
  return losses;
}

}  // namespace vitcl::train
