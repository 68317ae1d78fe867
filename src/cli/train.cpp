// vitcl train: a new run, or an old one that goes on.
#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>

#include "command.hpp"
#include "console.hpp"
#include "device_report.hpp"
#include "options.hpp"
#include "picture_files.hpp"
#include "progress_view.hpp"
#include "stop_signal.hpp"
#include "trace_file.hpp"
#include "trust.hpp"
#include "tuning.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/adapt.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string output, resume, trace;
  bool overwrite = false, trust = false;
};

/// "runs/20250131-235959", with a number behind it where that is taken.
fs::path default_output() {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm calendar{};
  localtime_r(&now, &calendar);
  const std::string name(text, std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &calendar));
  fs::path path = fs::path("runs") / name;
  for (int i = 2; fs::exists(path); ++i) path = fs::path("runs") / fmt::format("{}-{}", name, i);
  return path;
}

/// The saved configuration with what the command line may change of it.
train::TrainConfig resumed_config(const Options& options, const train::RunFolder& folder) {
  if (!options.output.empty() || options.overwrite || !options.config_file.empty()) {
    throw UsageError(
        "--resume goes on in its own folder with its own configuration: leave out --output, --overwrite "
        "and --config");
  }
  const train::TrainConfig saved = folder.read_config();
  train::TrainConfig config = saved;
  const train::OptionTexts given = options.flags.given({});
  apply_options(config, given);
  config.validate();
  config.make_paths_absolute();
  for (const auto& [name, text] : given) {
    const train::ConfigOption& option = train::config_option(name);
    const std::string before = get_option(saved, option), now = get_option(config, option);
    if (before == now || option.changeable) continue;
    throw UsageError(
        fmt::format("--{} {}: the run {} was begun with {}, which --resume can't change; leave the option "
                    "out, or begin a new run",
                    name, text, folder.path().string(), before.empty() ? "nothing" : before));
  }
  if (config.epochs < saved.epochs) {
    throw UsageError(fmt::format("--epochs {}: the run {} was begun with {}; --resume can only raise it", config.epochs,
                                 folder.path().string(), saved.epochs));
  }
  return config;
}

/// The devices that a run is on, open.
class Devices {
 public:
  void open(const DeviceInfo& info, const DeviceOptions& options) {
    devices_.push_back(std::make_unique<Device>(info, options));
    all_.push_back(devices_.back().get());
  }
  const std::vector<Device*>& all() const { return all_; }
  /// "2: NAME (pocl, 1 units)", the number where there are several.
  std::string name(size_t i) const {
    return fmt::format("{}{}", all_.size() > 1 ? fmt::format("{}: ", i + 1) : "", describe(all_[i]->info()));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < all_.size(); ++i) names.push_back(name(i));
    return names;
  }

 private:
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<Device*> all_;
};

void introduce(const Notes& note, train::Trainer& trainer, const Devices& devices, const data::Dataset& dataset,
               const fs::path& output) {
  const train::TrainConfig& config = trainer.config();
  for (const std::string& name : devices.names()) note("device  {}", name);
  note("data    {}: {} training and {} test images; {}", dataset.name, grouped(dataset.train.count),
       grouped(dataset.test.count), dataset.source);
  const std::string origin = fs::path(config.initial_checkpoint).filename().string();
  note("model   {}: {} parameters, {} x {} patches of {} x {} pixels", origin.empty() ? config.model_name : origin,
       grouped(trainer.parameters().trainable_count()), config.model.grid(), config.model.grid(),
       config.model.patch_size, config.model.patch_size);
  size_t bytes = 0, choices = 0, tuned = 0;
  for (Device* device : devices.all()) {
    const auto& taken = device->choices().taken();
    bytes = std::max(bytes, device->allocated_bytes());
    choices += taken.size();
    tuned += static_cast<size_t>(
        std::ranges::count_if(taken, [](const auto& choice) { return choice.second.by == ChosenBy::tuning; }));
  }
  note("memory  {} on {} device; a {} {} ({} without reuse)", in_bytes(static_cast<double>(bytes)),
       devices.all().size() > 1 ? "each" : "the", devices.all().size() > 1 ? "shard of a step" : "step",
       in_bytes(static_cast<double>(trainer.plan().planned_bytes())),
       in_bytes(static_cast<double>(trainer.plan().unplanned_bytes())));
  if (tuned > 0) note("kernels {} of {} choices are the tuner's or were saved with the run", tuned, choices);
  note("output  {}", output.string());
}

void print_results(const train::Trainer& trainer, const train::EpochMetrics& last, double seconds,
                   const train::RunFolder& folder) {
  const train::Position& position = trainer.position();
  print("test accuracy   {:.2f} % after epoch {} (best {:.2f} % after epoch {})\n", 100 * last.test_accuracy,
        last.epoch, 100 * position.best_accuracy, position.best_epoch);
  print("execution time  {:.1f} s\n", seconds);
  if (last.data_wait) print("data wait       {:.1f} % of the last epoch's training\n", 100 * *last.data_wait);
  print("checkpoint      {}\n", folder.last_checkpoint().string());
}

/// Passes everything on to the view and remembers the last epoch.
class Recorder final : public train::TrainObserver {
 public:
  Recorder(bool quiet, size_t epochs, std::vector<std::string> devices) : view_(quiet, epochs, std::move(devices)) {}
  void on_progress(const train::Progress& progress) override { view_.on_progress(progress); }
  void on_evaluation_start() override { view_.on_evaluation_start(); }
  void on_epoch(const train::EpochMetrics& metrics, bool best) override {
    view_.on_epoch(metrics, best);
    last_ = metrics;
  }
  void on_shares(const std::vector<size_t>& images) override { view_.on_shares(images); }
  void on_lost_device(size_t device, const std::string& reason) override { view_.on_lost_device(device, reason); }
  const train::EpochMetrics& last() const { return last_; }

 private:
  ProgressView view_;
  train::EpochMetrics last_;
};

int report_end(train::Outcome outcome, const train::Trainer& trainer, const train::EpochMetrics& last, double seconds,
               const train::RunFolder& folder, const Notes& note) {
  if (outcome == train::Outcome::interrupted) {
    note("interrupted after step {}; everything is saved. To go on: vitcl train --resume {}", trainer.position().step,
         folder.path().string());
    return exit_interrupted;
  }
  if (trainer.position().epochs < trainer.config().epochs) {
    note("ended early: no better accuracy for {} epochs (--early-stopping)", trainer.config().early_stopping);
  }
  print_results(trainer, last, seconds, folder);
  return exit_done;
}

/// What the options want timed. Throws DeviceError where the device can't.
DeviceOptions device_options(const Options& options, const DeviceInfo& device, ImplementationNames implementations) {
  if (!options.trace.empty()) require_clock(device);
  return {.profile = options.profile,
          .trace = options.trace.empty() ? 0 : trace_launches,
          .implementations = std::move(implementations)};
}

/// Trains what is left of the run in `folder`.
int train_on(train::Trainer& trainer, const Devices& devices, const train::RunFolder& folder, const Options& options) {
  const auto start = Clock::now();
  const std::atomic<bool>& stop = catch_stop_signals();
  Recorder recorder(options.quiet, trainer.config().epochs, devices.names());
  const train::Outcome outcome = trainer.run(&folder, recorder, stop);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const int code = report_end(outcome, trainer, recorder.last(), seconds, folder, Notes(options.quiet));
  for (size_t i = 0; options.profile && i < devices.all().size(); ++i) {
    if (devices.all().size() > 1) print("\n{}\n", devices.name(i));
    print_profile(*devices.all()[i]);
  }
  if (!options.trace.empty()) write_trace(options.trace, *devices.all().front());
  return code;
}

/// Begins with weights of a file, and says what was made of them.
void begin_with(train::Trainer& trainer, const io::Pretrained& weights, const data::Dataset& dataset,
                const Notes& note) {
  const io::Adapted adapted = io::adapt(weights, trainer.config().model, dataset.class_names);
  trainer.begin_with(adapted.parameters);
  note("weights {}: {}{}{}", trainer.config().initial_checkpoint, io::to_string(weights.dialect),
       weights.averaged ? ", the moving average" : "", adapted.changes.empty() ? "" : ";");
  for (const std::string& change : adapted.changes) note("        {}", change);
}

/// The devices of the list. Throws UsageError where the options don't fit their number, DeviceError where one of them
/// computes wrongly.
std::vector<DeviceInfo> chosen_devices(const Options& options, const train::TrainConfig& config, const Notes& note) {
  std::vector<DeviceInfo> devices = select_devices(config.device);
  if (devices.size() > 1 && !options.trace.empty()) {
    throw UsageError(
        fmt::format("--trace shows the launches on one device; --device {} names {}", config.device, devices.size()));
  }
  for (const DeviceInfo& device : devices) require_trusted(device, options.trust, note);
  return devices;
}

/// What a device is to take in a run on so many. On several, what ships: what the tuner finds holds for one size of
/// batch, and with another implementation for each share the result would depend on the shares. Nor where a step sums
/// batches: one device has the bits of several.
ImplementationNames tuned_implementations(const DeviceInfo& device, const train::TrainConfig& config, size_t devices,
                                          const Notes& note) {
  const bool in_shards = devices > 1 || config.grad_accum_steps > 1;
  return in_shards ? ImplementationNames() : wanted_implementations(device, config, note);
}

int start_run(const Options& options, const std::set<std::string>& from_file) {
  train::TrainConfig config = options.flags.config(from_file);
  config.make_paths_absolute();
  std::optional<io::Pretrained> weights;
  if (!config.initial_checkpoint.empty()) weights = train::read_initial_weights(config, options.flags.named());
  const data::Dataset dataset = train::load_data(config, options.flags.named());
  tell_left_out(dataset);
  train::require_fitting(config.model, dataset);
  const Notes note(options.quiet);
  const std::vector<DeviceInfo> chosen = chosen_devices(options, config, note);
  if (!options.trace.empty()) require_writable(options.trace);
  const fs::path output = options.output.empty() ? default_output() : fs::path(options.output);
  const size_t bytes = train::run_bytes(config, dataset.train.count);
  const bool searches = config.tune == train::TuneMode::search;
  if (searches) train::RunFolder::check(output, options.overwrite, bytes);  // before time is spent
  Devices devices;
  for (const DeviceInfo& info : chosen) {
    devices.open(info, device_options(options, info, tuned_implementations(info, config, chosen.size(), note)));
  }
  if (!options.trace.empty()) require_clock(devices.all().front()->info());
  train::Trainer trainer(devices.all(), config, dataset);
  const train::RunFolder folder = train::RunFolder::create(output, options.overwrite, bytes);
  introduce(note, trainer, devices, dataset, output);
  if (weights) begin_with(trainer, *weights, dataset, note);
  return train_on(trainer, devices, folder, options);
}

int resume_run(const Options& options) {
  const train::RunFolder folder = train::RunFolder::open(options.resume);
  const train::TrainConfig config = resumed_config(options, folder);
  const data::Dataset dataset = train::load_data(config);
  tell_left_out(dataset);
  train::require_fitting(config.model, dataset);
  if (!options.trace.empty()) require_writable(options.trace);
  const Notes note(options.quiet);
  Devices devices;
  const std::vector<DeviceInfo> chosen = chosen_devices(options, config, note);
  for (const DeviceInfo& info : chosen) {
    const auto saved = folder.read_implementations(info);
    devices.open(
        info, device_options(options, info, saved ? *saved : tuned_implementations(info, config, chosen.size(), note)));
  }
  if (!options.trace.empty()) require_clock(devices.all().front()->info());
  train::Trainer trainer(devices.all(), config, dataset);
  if (const auto newest = folder.load_newest()) {
    for (const std::string& text : newest->set_aside) print_error(text);
    trainer.restore(newest->checkpoint, newest->file);
    if (newest->checkpoint.device != trainer.device_names()) {
      note("this run was on {}; on other devices its results are close but not the same to the bit",
           newest->checkpoint.device);
    }
  } else if (!config.initial_checkpoint.empty()) {  // killed before it saved anything
    const size_t heads = config.model.heads;
    begin_with(trainer, io::read_pretrained(config.initial_checkpoint, heads), dataset, note);
  }
  const train::Position& position = trainer.position();
  if (trainer.finished()) {
    print("the run {} is finished: {} epochs, best test accuracy {:.2f} % after epoch {}; {} trains on\n",
          options.resume, position.epochs, 100 * position.best_accuracy, position.best_epoch,
          position.epochs < config.epochs ? "--early-stopping 0" : "--epochs N");
    return exit_done;
  }
  introduce(note, trainer, devices, dataset, folder.path());
  note("resume  after step {}, {} of {} epochs complete", position.step, position.epochs, config.epochs);
  return train_on(trainer, devices, folder, options);
}

}  // namespace

Command add_train(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("train", "Train a model, or go on with a run");
  app->add_option("--output", options->output, "folder for the run [runs/DATE-TIME]; must be new or empty")
      ->option_text("RUN")
      ->take_last();
  app->add_flag("--overwrite", options->overwrite, "replace the run in --output");
  app->add_option("--resume", options->resume, "go on with the run in this folder, with its saved configuration")
      ->option_text("RUN");
  using Group = train::OptionGroup;
  options->flags.add(*app,
                     {Group::device, Group::training, Group::data, Group::augmentation, Group::model, Group::mask});
  app->add_flag("--trust", options->trust, "train on a device that fails its self-test, or has had none");
  add_config_file(*app, *options);
  add_quiet(*app, *options);
  add_profile(*app, *options);
  app->add_option(
         "--trace", options->trace,
         fmt::format("write the times of the first {} kernel launches to FILE, for chrome://tracing or Perfetto",
                     grouped(trace_launches)))
      ->option_text("FILE")
      ->take_last();
  return {app, [options, app, &root] {
            const std::set<std::string> from_file = complete_options(root, *app);
            return options->resume.empty() ? start_run(*options, from_file) : resume_run(*options);
          }};
}

}  // namespace vitcl::cli
