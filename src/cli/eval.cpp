// vitcl eval: how well a checkpoint tells test images apart.
#include <chrono>
#include <memory>

#include "command.hpp"
#include "console.hpp"
#include "device_report.hpp"
#include "eval_report.hpp"
#include "options.hpp"
#include "picture_files.hpp"
#include "tuning.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::cli {
namespace {

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string checkpoint;
  size_t topk = 5;
  bool csv = false;
};

/// The model to measure and the mask to measure it with.
struct Subject {
  models::ViTConfig model;
  std::string patch_mask;
};

Subject subject(const train::Checkpoint& checkpoint, const train::TrainConfig& config) {
  train::TrainConfig checked = config;
  checked.model = checkpoint.model;
  if (checked.patch_mask.empty()) checked.patch_mask = checkpoint.patch_mask;
  checked.validate();
  return {checked.evaluation_model(), checked.patch_mask};
}

train::Evaluation evaluate(Device& device, const train::Checkpoint& checkpoint, const Subject& subject,
                           const data::Dataset& dataset, size_t batch, std::vector<float>& logits) {
  Queue& queue = device.queue();
  nn::Parameters parameters(device, models::vit_graph(subject.model).parameters());
  parameters.load(queue, checkpoint.measured());
  const train::DeviceSamples samples = train::DeviceSamples::open(queue, dataset.test, checkpoint.pixel_statistics, {});
  return train::Evaluator(subject.model, subject.patch_mask, parameters, queue, samples, batch).run(logits);
}

void print_result(const Options& options, const EvalResult& result) {
  if (options.json) return print_eval_json(result);
  if (options.csv) return print_eval_csv(result);
  print_eval_table(result);
}

/// The checkpoint's own data where the options name none.
train::TrainConfig complete(train::TrainConfig config, const Options& options, const train::Checkpoint& checkpoint) {
  const train::OptionTexts given = options.flags.given({});
  config.model = checkpoint.model;  // pictures of a folder are made its size
  if (given.contains("data")) return config;
  config.data = checkpoint.data;
  const train::TrainConfig saved = train::config_from_toml(checkpoint.config, options.checkpoint);
  if (!given.contains("digits-seed")) config.digits_seed = saved.digits_seed;
  if (!given.contains("val-split")) config.val_split = saved.val_split;
  return config;
}

int run(const Options& options, const std::set<std::string>& from_file) {
  const train::Checkpoint checkpoint = train::load_checkpoint(options.checkpoint);
  const train::TrainConfig config = complete(options.flags.config(from_file), options, checkpoint);
  const data::Dataset dataset = train::load_data(config);
  tell_left_out(dataset);
  const Notes note(options.quiet);
  const DeviceInfo info = select_device(config.device);
  Device device(info, {.profile = options.profile, .implementations = load_tuning(info, note).names()});
  train::require_fitting(checkpoint.model, dataset);
  const Subject measured = subject(checkpoint, config);
  if (!checkpoint.class_names.empty() && checkpoint.class_names != dataset.class_names) {
    note("the data's classes are not named as the checkpoint's: {}; {}", fmt::join(dataset.class_names, ", "),
         fmt::join(checkpoint.class_names, ", "));
  }
  note("device  {}\ndata    {}: {}", describe(device.info()), dataset.name, dataset.source);

  const auto start = std::chrono::steady_clock::now();
  EvalResult result{options.checkpoint, dataset.name, info.name, checkpoint, {}, {}, 0};
  std::vector<float> logits;
  result.evaluation = evaluate(device, checkpoint, measured, dataset, config.batch_size, logits);
  result.report = train::classification_report(logits, dataset.test.labels, measured.model.classes, options.topk);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  print_result(options, result);
  if (options.profile) print_profile(device);
  return exit_done;
}

}  // namespace

Command add_eval(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("eval", "Measure a checkpoint on test images");
  app->add_option("CHECKPOINT", options->checkpoint, "checkpoint of a run")->required()->option_text(" ");
  options->flags.add(*app, {"device", "data", "data-dir", "digits-seed", "val-split", "strict", "test-samples",
                            "batch-size", "patch-mask"});
  app->get_option("--data")->option_text("TEXT [the checkpoint's]");
  add_config_file(*app, *options);
  add_topk(*app, options->topk, "also count an image whose class is among the K most probable");
  add_json(*app, *options);
  app->add_flag("--csv", options->csv, "print a line a class, with its row of the confusion matrix; not with --json")
      ->excludes(app->get_option("--json"));
  add_quiet(*app, *options);
  add_profile(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

}  // namespace vitcl::cli
