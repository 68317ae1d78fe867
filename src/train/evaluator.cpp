#include "vitcl/train/evaluator.hpp"

#include <chrono>
#include <numeric>
#include <vector>

#include "pace.hpp"
#include "sample_stream.hpp"
#include "step_program.hpp"

namespace vitcl::train {

struct Evaluator::State {
  Queue& queue;
  const DeviceSamples& samples;
  nn::Graph graph;
  BatchCut cut;
  StepState steps;
  std::vector<StepProgram> programs;  // full batches; then the last, where it is smaller
  size_t passes = 0;                  // over all samples

  State(const models::ViTConfig& model, const std::string& patch_mask, nn::Parameters& parameters, Queue& device_queue,
        const DeviceSamples& all_samples, size_t batch)
      : queue(device_queue),
        samples(all_samples),
        graph(models::vit_training_graph(model)),
        cut(samples.count(), batch),
        steps(queue.device(), samples.count(), cut.steps) {
    std::vector<int32_t> order(samples.count());
    std::iota(order.begin(), order.end(), 0);
    steps.stream(queue, samples, cut.full, [order](size_t) { return order; });
    steps.write_order(queue, order);
    const nn::PlanOptions inference{nn::Mode::inference};
    const InputChanges changes{.patch_mask = patch_mask};
    programs.emplace_back(graph, parameters, queue, cut.full, samples, steps, changes, inference);
    if (cut.last != cut.full) {
      programs.emplace_back(graph, parameters, queue, cut.last, samples, steps, changes, inference);
    }
    std::vector<ops::StepEntry> table(cut.steps);
    for (size_t i = 0; i < cut.steps; ++i) table[i] = {static_cast<int32_t>(i * cut.full), 0, 1, 1};
    steps.write_table(queue, table);
  }

  void enqueue(size_t step) {
    const size_t pixels = samples.stream ? samples.stream->buffer(queue, passes, step) : 0;
    (step + 1 == cut.steps ? programs.back() : programs.front()).run(pixels);
  }

  /// Runs every batch; false where `stop` was set before the end.
  bool run(const std::atomic<bool>& stop) {
    steps.write_cursor(queue, 0);
    Pace pace;
    for (size_t step = 0; step < cut.steps;) {
      if (stop) return false;
      auto start = std::chrono::steady_clock::now();
      size_t end = std::min(cut.steps, step + pace.steps());
      size_t count = end - step;
      for (; step < end; ++step) enqueue(step);
      queue.finish();
      pace.took(count, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    ++passes;
    return true;
  }

  /// Runs every batch and fetches its logits.
  void run(std::vector<float>& logits) {
    steps.write_cursor(queue, 0);
    logits.clear();
    for (size_t step = 0; step < cut.steps; ++step) {
      enqueue(step);
      const StepProgram& program = step + 1 == cut.steps ? programs.back() : programs.front();
      const std::vector<float> rows = download<float>(queue, program.plan().tensor("logits"));
      logits.insert(logits.end(), rows.begin(), rows.end());
    }
    ++passes;
  }

  Evaluation result(size_t number) {
    std::vector<float> losses = download<float>(queue, steps.losses);
    std::vector<int32_t> correct = download<int32_t>(queue, steps.correct);
    double loss = 0, hits = 0;
    for (size_t i = 0; i < cut.steps; ++i) {
      loss += static_cast<double>(losses[i]) * static_cast<double>(i + 1 == cut.steps ? cut.last : cut.full);
      hits += correct[i];
    }
    auto count = static_cast<double>(number);
    return {.loss = loss / count, .accuracy = hits / count, .samples = number};
  }
};

namespace {

size_t fitting_batch(const models::ViTConfig& model, const DeviceCaps& caps, size_t batch) {
  size_t largest = nn::largest_batch(models::vit_training_graph(model), caps, {nn::Mode::inference});
  return largest == 0 ? batch : std::min(batch, largest);  // where none fits, the plan says what is missing
}

}  // namespace

Evaluator::Evaluator(const models::ViTConfig& model, const std::string& patch_mask, nn::Parameters& parameters,
                     Queue& queue, const DeviceSamples& samples, size_t batch)
    : state_(std::make_unique<State>(
          model, patch_mask, parameters, queue, samples,
          fitting_batch(model, queue.device().caps(), std::min(batch, samples.most_batch())))) {}
Evaluator::~Evaluator() = default;
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;

std::optional<Evaluation> Evaluator::run(const std::atomic<bool>& stop) {
  if (!state_->run(stop)) return std::nullopt;
  return state_->result(state_->steps.order.elements());
}

Evaluation Evaluator::run(std::vector<float>& logits) {
  state_->run(logits);
  return state_->result(state_->steps.order.elements());
}

Evaluation Evaluator::run() {
  std::atomic<bool> never = false;
  return *run(never);
}

}  // namespace vitcl::train
