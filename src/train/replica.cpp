#include "replica.hpp"

#include <algorithm>
#include <mutex>

#include "single_device.hpp"
#include "vitcl/data/sampling.hpp"
#include "vitcl/ops/batch.hpp"

namespace vitcl::train {

Replica::Replica(Device& device, const TrainConfig& config, const data::Dataset& dataset, size_t alignment)
    : queue_(device.queue()),
      transfers_(device),
      config_(config),
      cut_(dataset.train.count, config.step_images()),
      full_(cut_.full, config.grad_accum_steps),
      last_(cut_.last, config.grad_accum_steps),
      parameters_(device, config.training_graph().parameters(), alignment),
      optimizer_(queue_, config, parameters_, alignment),
      train_(upload_split(queue_, dataset.train, dataset)),
      test_(upload_split(queue_, dataset.test, dataset)),
      shards_(device, train_.count(), cut_.steps * full_.count()),
      updates_(device, 1, cut_.steps),
      sum_(queue_, parameters_.values().elements(), full_.count()),
      evaluator_(config.evaluation_model(), config.patch_mask, optimizer_.measured(), queue_, test_,
                 evaluation_batch(config)) {
  if (config.soft_targets()) mixing_.emplace(queue_, config, train_, cut_, shards_);
  for (const ShardCut& batch : {full_, last_}) program(batch, {0, batch.count() - 1});
  update_ = queue_.record([&] {
    optimizer_.update(queue_, sum_.slot(0), updates_.table, updates_.cursor);
    ops::advance(queue_, updates_.cursor);
  });
}

const nn::Plan& Replica::plan() const {
  return std::ranges::max_element(programs_, {}, [](const auto& program) { return program.second.plan().batch(); })
      ->second.plan();
}

/// The program for a branch of a batch.
StepProgram& Replica::program(const ShardCut& batch, const TreeNode& node) {
  const ProgramKey key(batch.batch(), batch.images(node), node.shards());
  const auto found = programs_.find(key);
  if (found != programs_.end()) return found->second;
  static std::mutex one_at_a_time;  // drivers compile
  const std::lock_guard guard(one_at_a_time);
  const auto& [images, share, parts] = key;
  const nn::Graph graph = config_.training_graph(images);
  nn::PlanOptions options = training_plan(config_);
  options.parts = parts;
  StepProgram recorded(graph, parameters_, queue_, share, train_, shards_, input_changes(config_), options);
  return programs_.emplace(key, std::move(recorded)).first->second;
}

void Replica::initialize() {
  parameters_.initialize(queue_, config_.seed);
  optimizer_.begin_average(queue_);
}

void Replica::set_values(const std::vector<float>& values) { upload<float>(queue_, values, parameters_.values()); }

std::vector<float> Replica::values() { return download<float>(queue_, parameters_.values()); }

void Replica::begin_epoch(size_t epoch, const std::vector<double>& rates) {
  std::vector<ops::StepEntry> rows(cut_.steps * full_.count()), updates(cut_.steps);
  for (size_t step = 0; step < cut_.steps; ++step) {
    const size_t t = epoch * cut_.steps + step + 1;
    updates[step] = optimizer_.entry(rates[step], t, 0);
    const ShardCut& batch = cut_of(step);
    for (size_t shard = 0; shard < batch.count(); ++shard) {
      rows[step * full_.count() + shard] = optimizer_.entry(rates[step], t, step * cut_.full + batch.begin(shard));
    }
  }
  const std::vector<int32_t> order = data::epoch_order(train_.count(), config_.seed, epoch);
  shards_.write_order(queue_, order);
  if (mixing_) mixing_->begin_epoch(queue_, epoch, order, shards_);
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

void Replica::compute_branch(size_t step, const TreeNode& node) {
  const ShardCut& batch = cut_of(step);
  if (node.level > 0 && batch.images(node) > config_.batch_size) {
    compute_branch(step, {node.level - 1, 2 * node.index});
    compute_branch(step, {node.level - 1, 2 * node.index + 1});
    return;
  }
  program(batch, node).run(0);
  sum_.add(node, parameters_.gradients());
}

void Replica::compute(size_t step, ShardRange shards) {
  begin_step(step, shards);
  for (const TreeNode& node : largest_sums(shards)) compute_branch(step, node);
}

std::vector<GradientPart> Replica::compute_and_fetch(size_t step, ShardRange shards) {
  const std::vector<TreeNode> sums = largest_sums(shards);
  std::vector<Mark> ready;
  begin_step(step, shards);
  for (const TreeNode& node : sums) {
    compute_branch(step, node);
    ready.push_back(queue_.mark());
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
