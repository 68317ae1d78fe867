#include "vitcl/train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "data_parallel.hpp"
#include "pace.hpp"
#include "single_device.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/train/learning_rate.hpp"

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

/// The first of a split's images, enough to see what they are like.
std::vector<uint8_t> some_images(const data::Split& split) {
  constexpr size_t enough = 1000;
  const size_t count = std::min(split.count, enough), bytes = split.image_bytes();
  std::vector<uint8_t> pixels(count * bytes);
  for (size_t i = 0; i < count; ++i) split.read(i, std::span(pixels).subspan(i * bytes, bytes));
  return pixels;
}

std::unique_ptr<Engine> make_engine(const std::vector<Device*>& devices, const TrainConfig& config,
                                    const data::Dataset& dataset) {
  // Sums of shards' gradients are what several devices make, too.
  const bool whole = devices.size() == 1 && config.grad_accum_steps == 1;
  if (whole) return std::make_unique<SingleDevice>(*devices.front(), config, dataset);
  if (const size_t limit = data_memory_bytes(config); limit > 0 && dataset.train.bytes() > limit) {
    throw UsageError(fmt::format(
        "--data-memory {}: images are streamed to one device and whole batches only, not beside --grad-accum-steps or "
        "several devices; leave it out",
        config.data_memory));
  }
  return std::make_unique<DataParallel>(devices, config, dataset, std::make_unique<MeasuredShares>());
}

}  // namespace

/// Has an engine tell an observer what becomes of its devices.
class Observing {
 public:
  Observing(Engine& engine, TrainObserver& observer) : engine_(engine) { engine.observe(&observer); }
  ~Observing() { engine_.observe(nullptr); }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  Engine& engine_;
};

/// One run: what is trained, where it stands, and what it reports to.
struct Trainer::State {
  std::vector<Device*> devices;
  TrainConfig config;
  PixelStatistics statistics;
  std::string data, fingerprint;
  std::vector<std::string> class_names;
  double border_brightness;
  size_t train_count;
  std::unique_ptr<Engine> engine;
  Position position;
  std::vector<double> rates;     // of the current epoch's steps
  std::optional<Position> kept;  // of the state that the engine keeps on the host

  // While run() is active.
  const RunFolder* folder = nullptr;
  TrainObserver* observer = nullptr;
  std::optional<MetricsLog> log;
  std::optional<Position> saved;  // the state that checkpoint-last holds
  double epoch_seconds = 0;       // of the current epoch, in this process
  size_t epoch_images = 0;
  double waited_seconds = 0;  // for images, before the current epoch

  State(std::vector<Device*> targets, const TrainConfig& wanted, const data::Dataset& dataset)
      : devices(std::move(targets)),
        config(for_data(wanted, dataset)),
        statistics{dataset.mean, dataset.deviation},
        data(dataset.name),
        fingerprint(data::fingerprint(dataset)),
        class_names(dataset.class_names),
        border_brightness(
            data::border_brightness(some_images(dataset.train), dataset.train.channels, dataset.train.side)),
        train_count(dataset.train.count),
        engine(make_engine(devices, config, dataset)) {}

  size_t steps_per_epoch() const { return engine->cut().steps; }
  bool finished() const;
  std::string device_names() const;
  std::vector<UsedDevice> used_devices() const;
  Checkpoint describe(const Position& at) const;
  Checkpoint checkpoint();
  void save(RunFolder::Names names);
  void keep();
  std::string save_kept();
  bool is_checkpoint_step() const;
  bool train_epoch(const std::atomic<bool>& stop);
  bool evaluate_epoch(const std::atomic<bool>& stop);
  size_t run_steps(size_t first, size_t end, const std::atomic<bool>& stop);
  void account(size_t first, const std::vector<float>& losses);
  void report_progress();
  [[noreturn]] void fail(const std::string& what);
};

std::string Trainer::State::device_names() const {
  std::vector<std::string> names;
  for (const Device* device : devices) names.push_back(device->info().name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<UsedDevice> Trainer::State::used_devices() const {
  std::vector<UsedDevice> used;
  for (Device* device : devices) used.push_back({device->info(), device->choices().names()});
  return used;
}

/// A checkpoint without parameters and moments.
Checkpoint Trainer::State::describe(const Position& at) const {
  return {.model = config.model,
          .parameters = {},
          .exp_avg = {},
          .exp_avg_sq = {},
          .average = {},
          .position = at,
          .pixel_statistics = statistics,
          .patch_mask = config.patch_mask,
          .class_names = class_names,
          .data = data,
          .data_fingerprint = fingerprint,
          .device = device_names(),
          .border_brightness = border_brightness,
          .config = lasting_options(config),
          .seed = config.seed,
          .batch_size = config.step_images(),
          .lr = config.lr};
}

Checkpoint Trainer::State::checkpoint() {
  Checkpoint state = describe(position);
  engine->save(state);
  return state;
}

void Trainer::State::keep() {
  if (engine->keep()) kept = position;
}

/// Saves what the engine keeps on the host; says what became of it.
std::string Trainer::State::save_kept() {
  if (folder == nullptr || !kept) return "nothing was saved";
  if (saved != kept) {
    Checkpoint state = describe(*kept);
    engine->save_kept(state);
    log->sync();
    folder->save(state, {}, config.checkpoint_hist);
    saved = kept;
  }
  return fmt::format("the state after step {} is saved; to go on: vitcl train --resume {}", kept->step,
                     folder->path().string());
}

void Trainer::State::save(RunFolder::Names names) {
  if (folder == nullptr || saved == position) return;
  log->sync();
  try {
    folder->save(checkpoint(), names, config.checkpoint_hist);
  } catch (const NumericsError& error) {
    fail(error.what());
  }
  saved = position;
}

bool Trainer::State::finished() const {
  const size_t waited = position.epochs - position.best_epoch;
  return position.epochs >= config.epochs || (config.early_stopping > 0 && waited >= config.early_stopping);
}

bool Trainer::State::is_checkpoint_step() const {
  return config.checkpoint_every > 0 && position.step % config.checkpoint_every == 0;
}

/// Trains what is left of the current epoch; false where `stop` ended it early, with everything saved.
bool Trainer::State::train_epoch(const std::atomic<bool>& stop) {
  size_t start = position.epochs * steps_per_epoch(), end = start + steps_per_epoch();
  if (position.step < end) {
    rates = learning_rates(config, position.epochs, steps_per_epoch(), position.reductions);
    engine->begin_epoch(position.epochs, position.step - start, rates);
    kept = position;
  }
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
  for (; step < end && !stop; ++step) engine->step();
  if (step > first) {
    account(first, engine->losses(first, step - first));
    keep();
  }
  return step - first;
}

/// Takes the losses of the epoch's steps from `first` on into position and log.
void Trainer::State::account(size_t first, const std::vector<float>& losses) {
  const BatchCut& cut = engine->cut();
  for (size_t i = 0; i < losses.size(); ++i) {
    ++position.step;
    if (!std::isfinite(losses[i])) fail(fmt::format("the training loss is {}", losses[i]));
    size_t images = first + i + 1 == cut.steps ? cut.last : cut.full;
    position.epoch_loss += static_cast<double>(losses[i]) * static_cast<double>(images);
    epoch_images += images;
    if (log) log->add(StepMetrics{position.step, position.epochs + 1, losses[i], rates[first + i]});
  }
}

void Trainer::State::report_progress() {
  size_t step = position.step - position.epochs * steps_per_epoch();
  size_t images = std::min(step * engine->cut().full, train_count);
  double rate = static_cast<double>(epoch_images) / epoch_seconds;
  observer->on_progress({.epoch = position.epochs + 1,
                         .epochs = config.epochs,
                         .step = step,
                         .steps = steps_per_epoch(),
                         .train_loss = position.epoch_loss / static_cast<double>(images),
                         .images_per_second = rate,
                         .seconds_left = static_cast<double>(train_count - images) / rate});
}

/// Closes an epoch whose steps are done; false where `stop` kept it from being measured.
bool Trainer::State::evaluate_epoch(const std::atomic<bool>& stop) {
  observer->on_evaluation_start();
  Stopwatch watch;
  std::optional<Evaluation> evaluation = engine->evaluate(stop);
  if (!evaluation) {
    save({});
    return false;
  }
  EpochMetrics metrics{
      .epoch = position.epochs + 1,
      .train_loss = position.epoch_loss / static_cast<double>(train_count),
      .test_loss = evaluation->loss,
      .test_accuracy = evaluation->accuracy,
      .train_images_per_second = epoch_seconds > 0 ? static_cast<double>(epoch_images) / epoch_seconds : 0,
      .train_seconds = epoch_seconds,
      .test_seconds = watch.seconds()};
  if (const auto waited = engine->waited_seconds(); waited && epoch_seconds > 0) {
    metrics.data_wait = (*waited - std::exchange(waited_seconds, *waited)) / epoch_seconds;
  }
  if (!std::isfinite(evaluation->loss)) fail(fmt::format("the test loss is {}", evaluation->loss));
  bool best = evaluation->accuracy > position.best_accuracy;
  ++position.epochs;
  position.epoch_loss = 0;
  if (best) position.best_accuracy = evaluation->accuracy;
  if (best) position.best_epoch = position.epochs;
  const size_t waited = position.epochs - std::max(position.best_epoch, position.reduced_epoch);
  if (config.sched == Sched::plateau && waited > config.patience_epochs) {
    ++position.reductions;
    position.reduced_epoch = position.epochs;
  }
  epoch_seconds = 0;
  epoch_images = 0;
  if (log) log->add(metrics);
  bool due = config.checkpoint_every == 0 || is_checkpoint_step();
  if (due || best || finished()) save({.step = due, .best = best});
  observer->on_epoch(metrics, best);
  return true;
}

void Trainer::State::fail(const std::string& what) {
  std::string where = engine->first_not_finite();
  std::string tensor = where.empty() ? "" : fmt::format("; the first tensor that is not finite is {}", where);
  std::string state = folder == nullptr
                          ? "nothing was saved"
                          : fmt::format("the last good state is kept in {}", folder->last_checkpoint().string());
  const bool mixed = config.precision == nn::Precision::mixed;
  throw NumericsError(fmt::format("{} at step {} (epoch {}){}; {}. Lower the learning rate (--lr, now {}){}", what,
                                  position.step, position.epochs + 1, tensor, state, config.lr,
                                  mixed ? ", or begin anew with --precision float32: in 16 bits an activation or a "
                                          "gradient beyond 65504 is infinite"
                                        : ""));
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
    : Trainer(std::vector{&device}, config, dataset) {}
Trainer::Trainer(const std::vector<Device*>& devices, const TrainConfig& config, const data::Dataset& dataset)
    : state_(std::make_unique<State>(devices, config, dataset)) {}
Trainer::~Trainer() = default;

const TrainConfig& Trainer::config() const { return state_->config; }
const Position& Trainer::position() const { return state_->position; }
bool Trainer::finished() const { return state_->finished(); }
std::string Trainer::device_names() const { return state_->device_names(); }
size_t Trainer::steps_per_epoch() const { return state_->steps_per_epoch(); }
nn::Parameters& Trainer::parameters() { return state_->engine->parameters(); }
const nn::Plan& Trainer::plan() const { return state_->engine->plan(); }
Checkpoint Trainer::checkpoint() { return state_->checkpoint(); }
Evaluation Trainer::evaluate() {
  const std::atomic<bool> never = false;
  return *state_->engine->evaluate(never);
}

void Trainer::begin_with(const nn::NamedTensors& parameters) {
  Checkpoint start = checkpoint();
  for (const auto& [name, values] : parameters) start.parameters[name] = values;
  if (!start.average.empty()) start.average = start.parameters;
  state_->engine->load(start);
}

void Trainer::restore(const Checkpoint& checkpoint, const std::filesystem::path& source) {
  State& state = *state_;
  require_same_model(checkpoint, state.config.model, source);
  auto require = [&](const char* what, size_t got, size_t wanted) {
    if (got == wanted) return;
    throw StorageError(fmt::format("the checkpoint {} is of another run: its {} is {}, this run's is {}",
                                   source.string(), what, got, wanted));
  };
  require("seed", checkpoint.seed, state.config.seed);
  require("batch size", checkpoint.batch_size, state.config.step_images());
  if (checkpoint.data_fingerprint != state.fingerprint) {
    throw DataError(
        fmt::format("the data {} is not what the checkpoint {} was trained on ({}): its fingerprint is {}, "
                    "not {}; point --data-dir at the original files",
                    state.data, source.string(), checkpoint.data, state.fingerprint, checkpoint.data_fingerprint));
  }
  state.engine->load(checkpoint);
  state.position = checkpoint.position;
  state.saved = checkpoint.position;
}

Outcome Trainer::run(const RunFolder* folder, TrainObserver& observer, const std::atomic<bool>& stop) {
  State& state = *state_;
  state.folder = folder;
  state.observer = &observer;
  const Observing observing(*state.engine, observer);
  if (folder != nullptr) {
    state.log.emplace(folder->metrics_file(), state.position.step, state.position.epochs);
    io::remove_partial_files(folder->path());
    folder->write_config(state.config);
    folder->write_environment(state.used_devices());
    if (!std::filesystem::exists(folder->last_checkpoint())) state.saved.reset();
    state.save({.step = state.position.step == 0});
  }
  Outcome outcome = Outcome::finished;
  try {
    while (!state.finished() && outcome == Outcome::finished) {
      if (!state.train_epoch(stop) || !state.evaluate_epoch(stop)) outcome = Outcome::interrupted;
    }
  } catch (const DeviceError& error) {
    if (state.devices.size() == 1) throw;
    throw DeviceError(fmt::format("{}; {}", error.what(), state.save_kept()));
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
  size_t steps = config.epochs * BatchCut(train_samples, config.step_images()).steps;
  size_t numbered = 1 + (config.checkpoint_every > 0 ? steps / config.checkpoint_every : config.epochs);
  if (config.checkpoint_hist > 0) numbered = std::min(numbered, config.checkpoint_hist + 1);
  size_t others = 3;  // the best, the last, and the one that is being written
  return (numbered + others) * checkpoint_bytes(parameters, config.model_ema);
}

}  // namespace vitcl::train
