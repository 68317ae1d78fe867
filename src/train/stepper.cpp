#include "stepper.hpp"

#include "sample_stream.hpp"
#include "vitcl/data/sampling.hpp"

namespace vitcl::train {

Stepper::Stepper(Queue& queue, const TrainConfig& config, const DeviceSamples& samples)
    : queue_(queue),
      samples_(samples),
      seed_(config.seed),
      graph_(config.training_graph()),
      parameters_(queue.device(), graph_.parameters()),
      optimizer_(queue, config, parameters_),
      cut_(samples.count(), config.batch_size),
      state_(queue.device(), samples.count(), cut_.steps) {
  parameters_.initialize(queue, seed_);
  optimizer_.begin_average(queue);
  state_.stream(queue, samples, cut_.full, [count = samples.count(), seed = seed_](size_t epoch) {
    return data::epoch_order(count, seed, epoch);
  });
  if (config.soft_targets()) mixing_.emplace(queue, config, samples, cut_, state_);
  const nn::PlanOptions options = training_plan(config);
  const InputChanges changes = input_changes(config);
  programs_.emplace_back(graph_, parameters_, queue, cut_.full, samples, state_, changes, options, &optimizer_);
  if (cut_.last != cut_.full) {
    programs_.emplace_back(graph_, parameters_, queue, cut_.last, samples, state_, changes, options, &optimizer_);
  }
}

std::vector<ops::StepEntry> Stepper::step_table(size_t epoch, const std::vector<double>& rates) const {
  std::vector<ops::StepEntry> table(cut_.steps);
  for (size_t i = 0; i < cut_.steps; ++i) {
    table[i] = optimizer_.entry(rates[i], epoch * cut_.steps + i + 1, i * cut_.full);
  }
  return table;
}

void Stepper::begin_epoch(size_t epoch, size_t first, const std::vector<double>& rates) {
  const std::vector<int32_t> order = data::epoch_order(state_.order.elements(), seed_, epoch);
  state_.write_order(queue_, order);
  if (mixing_) mixing_->begin_epoch(queue_, epoch, order, state_);
  state_.write_table(queue_, step_table(epoch, rates));
  state_.write_epoch(queue_, epoch);
  state_.write_cursor(queue_, first);
  epoch_ = epoch;
  next_ = first;
}

void Stepper::step() {
  const size_t pixels = samples_.stream ? samples_.stream->buffer(queue_, epoch_, next_) : 0;
  ++next_;
  (next_ == cut_.steps ? programs_.back() : programs_.front()).run(pixels);
}

std::vector<float> Stepper::losses(size_t first, size_t count) {
  std::vector<float> values(count);
  queue_.read(state_.losses.buffer(), values.data(), count * sizeof(float), first * sizeof(float));
  return values;
}

void Stepper::load(const Checkpoint& checkpoint) {
  optimizer_.load(queue_, flat_state(checkpoint, parameters_, optimizer_.keeps_average()));
}

void Stepper::save(Checkpoint& checkpoint) { fill(checkpoint, optimizer_.save(queue_), parameters_); }

}  // namespace vitcl::train
