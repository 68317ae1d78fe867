#include "vitcl/train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "pace.hpp"
#include "stepper.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"

namespace vitcl::train {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

TrainConfig for_data(TrainConfig config, const data::Dataset& dataset) {
  config.validate();
  require_fitting(config.model, dataset);
  if (config.data == "auto") config.data = dataset.name;
  config.model.pad_value = black_pixel({dataset.mean, dataset.deviation});
  return config;
}

DeviceSamples upload(Queue& queue, const data::Split& split, const data::Dataset& dataset) {
  return DeviceSamples::upload(queue, {split.count, split.channels, split.side, split.side}, split.pixels, split.labels,
                               {dataset.mean, dataset.deviation});
}

constexpr size_t evaluation_batch = 100;  // large enough for any device's units, small enough for any memory

}  // namespace

/// One run: what is trained, where it stands, and what it reports to.
struct Trainer::State {
  Device& device;
  TrainConfig config;
  PixelStatistics statistics;
  std::string data, fingerprint;
  std::vector<std::string> class_names;
  DeviceSamples train, test;
  Stepper stepper;
  Evaluator evaluator;
  Position position;

  // While run() is active.
  const RunFolder* folder = nullptr;
  TrainObserver* observer = nullptr;
  std::optional<MetricsLog> log;
  std::optional<Position> saved;  // the state that checkpoint-last holds
  double epoch_seconds = 0;       // of the current epoch, in this process
  size_t epoch_images = 0;

  State(Device& target, const TrainConfig& wanted, const data::Dataset& dataset)
      : device(target),
        config(for_data(wanted, dataset)),
        statistics{dataset.mean, dataset.deviation},
        data(dataset.name),
        fingerprint(data::fingerprint(dataset)),
        class_names(dataset.class_names),
        train(upload(device.queue(), dataset.train, dataset)),
        test(upload(device.queue(), dataset.test, dataset)),
        stepper(device.queue(), config, train),
        evaluator(config.evaluation_model(), config.patch_mask, stepper.parameters(), device.queue(), test,
                  std::max(config.batch_size, evaluation_batch)) {}

  size_t steps_per_epoch() const { return stepper.cut().steps; }
  Checkpoint checkpoint();
  void save(RunFolder::Names names);
  bool is_checkpoint_step() const;
  bool train_epoch(const std::atomic<bool>& stop);
  bool evaluate_epoch(const std::atomic<bool>& stop);
  size_t run_steps(size_t first, size_t end, const std::atomic<bool>& stop);
  void account(size_t first, const std::vector<float>& losses);
  void report_progress();
  [[noreturn]] void fail(const std::string& what);
};

Checkpoint Trainer::State::checkpoint() {
  Checkpoint state{.model = config.model,
                   .parameters = {},
                   .exp_avg = {},
                   .exp_avg_sq = {},
                   .position = position,
                   .pixel_statistics = statistics,
                   .patch_mask = config.patch_mask,
                   .class_names = class_names,
                   .data = data,
                   .data_fingerprint = fingerprint,
                   .device = device.info().name,
                   .seed = config.seed,
                   .batch_size = config.batch_size,
                   .lr = config.lr};
  stepper.save(state);
  return state;
}

void Trainer::State::save(RunFolder::Names names) {
  if (folder == nullptr || saved == position) return;
  log->sync();
  try {
    folder->save(checkpoint(), names);
  } catch (const NumericsError& error) {
    fail(error.what());
  }
  saved = position;
}

bool Trainer::State::is_checkpoint_step() const {
  return config.checkpoint_every > 0 && position.step % config.checkpoint_every == 0;
}

/// Trains what is left of the current epoch; false where `stop` ended it early, with everything saved.
bool Trainer::State::train_epoch(const std::atomic<bool>& stop) {
  size_t start = position.epochs * steps_per_epoch(), end = start + steps_per_epoch();
  if (position.step < end) stepper.begin_epoch(position.epochs, position.step - start);
  Pace pace;
  while (position.step < end) {
    size_t target = std::min(end, position.step + pace.steps());
    if (config.checkpoint_every > 0) {
      target = std::min(target, (position.step / config.checkpoint_every + 1) * config.checkpoint_every);
    }
    Stopwatch watch;
    size_t steps = run_steps(position.step - start, target - start, stop);
    if (steps > 0) {
      epoch_seconds += watch.seconds();
      pace.took(steps, watch.seconds());
      report_progress();
    }
    if (position.step < end && is_checkpoint_step()) save({.step = true});
    if (stop) {
      save({});
      return false;
    }
  }
  return true;
}

/// Runs the epoch's steps [first, end), fewer where `stop` is set, and returns how many.
size_t Trainer::State::run_steps(size_t first, size_t end, const std::atomic<bool>& stop) {
  size_t step = first;
  for (; step < end && !stop; ++step) stepper.step();
  if (step > first) account(first, stepper.losses(first, step - first));
  return step - first;
}

/// Takes the losses of the epoch's steps from `first` on into position and log.
void Trainer::State::account(size_t first, const std::vector<float>& losses) {
  const BatchCut& cut = stepper.cut();
  for (size_t i = 0; i < losses.size(); ++i) {
    ++position.step;
    if (!std::isfinite(losses[i])) fail(fmt::format("the training loss is {}", losses[i]));
    size_t images = first + i + 1 == cut.steps ? cut.last : cut.full;
    position.epoch_loss += static_cast<double>(losses[i]) * static_cast<double>(images);
    epoch_images += images;
    if (log) log->add(StepMetrics{position.step, position.epochs + 1, losses[i], config.lr});
  }
}

void Trainer::State::report_progress() {
  size_t step = position.step - position.epochs * steps_per_epoch();
  size_t images = std::min(step * stepper.cut().full, train.count());
  double rate = static_cast<double>(epoch_images) / epoch_seconds;
  observer->on_progress({.epoch = position.epochs + 1,
                         .epochs = config.epochs,
                         .step = step,
                         .steps = steps_per_epoch(),
                         .train_loss = position.epoch_loss / static_cast<double>(images),
                         .images_per_second = rate,
                         .seconds_left = static_cast<double>(train.count() - images) / rate});
}

/// Closes an epoch whose steps are done; false where `stop` kept it from being measured.
bool Trainer::State::evaluate_epoch(const std::atomic<bool>& stop) {
  observer->on_evaluation_start();
  Stopwatch watch;
  std::optional<Evaluation> evaluation = evaluator.run(stop);
  if (!evaluation) {
    save({});
    return false;
  }
  EpochMetrics metrics{
      .epoch = position.epochs + 1,
      .train_loss = position.epoch_loss / static_cast<double>(train.count()),
      .test_loss = evaluation->loss,
      .test_accuracy = evaluation->accuracy,
      .train_images_per_second = epoch_seconds > 0 ? static_cast<double>(epoch_images) / epoch_seconds : 0,
      .train_seconds = epoch_seconds,
      .test_seconds = watch.seconds()};
  if (!std::isfinite(evaluation->loss)) fail(fmt::format("the test loss is {}", evaluation->loss));
  bool best = evaluation->accuracy > position.best_accuracy;
  ++position.epochs;
  position.epoch_loss = 0;
  if (best) position.best_accuracy = evaluation->accuracy;
  if (best) position.best_epoch = position.epochs;
  epoch_seconds = 0;
  epoch_images = 0;
  if (log) log->add(metrics);
  bool due = config.checkpoint_every == 0 || is_checkpoint_step();
  if (due || best || position.epochs == config.epochs) save({.step = due, .best = best});
  observer->on_epoch(metrics, best);
  return true;
}

void Trainer::State::fail(const std::string& what) {
  std::string where = stepper.first_not_finite();
  std::string tensor = where.empty() ? "" : fmt::format("; the first tensor that is not finite is {}", where);
  std::string kept = folder == nullptr
                         ? "nothing was saved"
                         : fmt::format("the last good state is kept in {}", folder->last_checkpoint().string());
  throw NumericsError(fmt::format("{} at step {} (epoch {}){}; {}. Lower the learning rate (--lr, now {})", what,
                                  position.step, position.epochs + 1, tensor, kept, config.lr));
}

void require_fitting(const models::ViTConfig& model, const data::Dataset& dataset) {
  auto fail = [&](const std::string& got, const std::string& wanted, const std::string& remedy) {
    throw DataError(fmt::format("the data {} has {}, the model wants {}; set {}", dataset.name, got, wanted, remedy));
  };
  size_t side = dataset.train.side, channels = dataset.train.channels;
  if (side != model.image_size) {
    fail(fmt::format("images of {} x {} pixels", side, side), fmt::format("{0} x {0}", model.image_size),
         fmt::format("--image-size {}", side));
  }
  if (channels != model.channels) {
    fail(fmt::format("{} channel(s)", channels), fmt::format("{}", model.channels),
         fmt::format("--channels {}", channels));
  }
  if (dataset.classes > model.classes) {
    fail(fmt::format("{} classes", dataset.classes), fmt::format("at most {}", model.classes),
         fmt::format("--classes {}", dataset.classes));
  }
}

Trainer::Trainer(Device& device, const TrainConfig& config, const data::Dataset& dataset)
    : state_(std::make_unique<State>(device, config, dataset)) {}
Trainer::~Trainer() = default;

const TrainConfig& Trainer::config() const { return state_->config; }
const Position& Trainer::position() const { return state_->position; }
size_t Trainer::steps_per_epoch() const { return state_->steps_per_epoch(); }
nn::Parameters& Trainer::parameters() { return state_->stepper.parameters(); }
const nn::Plan& Trainer::plan() const { return state_->stepper.plan(); }
Checkpoint Trainer::checkpoint() { return state_->checkpoint(); }
Evaluation Trainer::evaluate() { return state_->evaluator.run(); }

void Trainer::restore(const Checkpoint& checkpoint, const std::filesystem::path& source) {
  State& state = *state_;
  require_same_model(checkpoint, state.config.model, source);
  auto require = [&](const char* what, size_t got, size_t wanted) {
    if (got == wanted) return;
    throw StorageError(fmt::format("the checkpoint {} is of another run: its {} is {}, this run's is {}",
                                   source.string(), what, got, wanted));
  };
  require("seed", checkpoint.seed, state.config.seed);
  require("batch size", checkpoint.batch_size, state.config.batch_size);
  if (checkpoint.data_fingerprint != state.fingerprint) {
    throw DataError(
        fmt::format("the data {} is not what the checkpoint {} was trained on ({}): its fingerprint is {}, "
                    "not {}; point --data-dir at the original files",
                    state.data, source.string(), checkpoint.data, state.fingerprint, checkpoint.data_fingerprint));
  }
  state.stepper.load(checkpoint);
  state.position = checkpoint.position;
  state.saved = checkpoint.position;
}

Outcome Trainer::run(const RunFolder* folder, TrainObserver& observer, const std::atomic<bool>& stop) {
  State& state = *state_;
  state.folder = folder;
  state.observer = &observer;
  if (folder != nullptr) {
    state.log.emplace(folder->metrics_file(), state.position.step, state.position.epochs);
    io::remove_partial_files(folder->path());
    folder->write_config(state.config);
    folder->write_environment(state.device.info(), state.device.choices().names());
    if (!std::filesystem::exists(folder->last_checkpoint())) state.saved.reset();
    state.save({.step = state.position.step == 0});
  }
  Outcome outcome = Outcome::finished;
  while (state.position.epochs < state.config.epochs && outcome == Outcome::finished) {
    if (!state.train_epoch(stop) || !state.evaluate_epoch(stop)) outcome = Outcome::interrupted;
  }
  if (state.log) state.log->sync();
  state.log.reset();
  return outcome;
}

void Trainer::run() {
  TrainObserver silent;
  std::atomic<bool> never = false;
  run(nullptr, silent, never);
}

size_t run_bytes(const TrainConfig& config, size_t train_samples) {
  size_t parameters = 0;
  for (const nn::ParameterSpec& spec : models::vit_graph(config.model).parameters()) {
    parameters += spec.shape.elements();
  }
  size_t steps = config.epochs * BatchCut(train_samples, config.batch_size).steps;
  size_t numbered = 1 + (config.checkpoint_every > 0 ? steps / config.checkpoint_every : config.epochs);
  size_t others = 3;  // the best, the last, and the one that is being written
  return (numbered + others) * checkpoint_bytes(parameters);
}

}  // namespace vitcl::train
