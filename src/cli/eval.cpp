// vitcl eval: a checkpoint's loss and accuracy on test images.
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "console.hpp"
#include "device_report.hpp"
#include "options.hpp"
#include "tuning.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string checkpoint;
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
                           const data::Dataset& dataset, size_t batch) {
  Queue& queue = device.queue();
  nn::Parameters parameters(device, models::vit_graph(subject.model).parameters());
  parameters.load(queue, checkpoint.parameters);
  const data::Split& test = dataset.test;
  const train::DeviceSamples samples = train::DeviceSamples::upload(
      queue, {test.count, test.channels, test.side, test.side}, test.pixels, test.labels, checkpoint.pixel_statistics);
  return train::Evaluator(subject.model, subject.patch_mask, parameters, queue, samples, batch).run();
}

void print_result(const Options& options, const train::Evaluation& result, const data::Dataset& dataset, double seconds,
                  const DeviceInfo& device) {
  if (!options.json) {
    print("test accuracy   {:.2f} % of {} images of {}\ntest loss       {:.4f}\nexecution time  {:.1f} s\n",
          100 * result.accuracy, grouped(result.samples), dataset.name, result.loss, seconds);
    return;
  }
  ordered_json document = {{"checkpoint", options.checkpoint},
                           {"data", dataset.name},
                           {"samples", result.samples},
                           {"test_loss", result.loss},
                           {"test_accuracy", result.accuracy},
                           {"test_seconds", seconds},
                           {"device", device.name}};
  print("{}\n", document.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

int run(const Options& options, const std::set<std::string>& from_file) {
  train::TrainConfig config = options.flags.config(from_file);
  if (!options.flags.given({}).contains("data")) config.data = train::load_checkpoint(options.checkpoint).data;
  const data::Dataset dataset = train::load_data(config);
  const Notes note(options.quiet);
  const DeviceInfo info = select_device(config.device);
  Device device(info, {.profile = options.profile, .implementations = load_tuning(info, note).names()});
  const train::Checkpoint checkpoint = train::load_checkpoint(options.checkpoint);
  train::require_fitting(checkpoint.model, dataset);
  const Subject measured = subject(checkpoint, config);
  note("device  {}\ndata    {}: {}", describe(device.info()), dataset.name, dataset.source);

  const auto start = std::chrono::steady_clock::now();
  const train::Evaluation result = evaluate(device, checkpoint, measured, dataset, config.batch_size);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  print_result(options, result, dataset, seconds, device.info());
  if (options.profile) print_profile(device);
  return exit_done;
}

}  // namespace

Command add_eval(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("eval", "Measure a checkpoint on test images");
  app->add_option("CHECKPOINT", options->checkpoint, "checkpoint of a run")->required()->option_text(" ");
  options->flags.add(*app, {"device", "data", "data-dir", "digits-seed", "test-samples", "batch-size", "patch-mask"});
  app->get_option("--data")->option_text("TEXT [the checkpoint's]");
  add_config_file(*app, *options);
  add_json(*app, *options);
  add_quiet(*app, *options);
  add_profile(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

}  // namespace vitcl::cli
