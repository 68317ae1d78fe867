// vitcl data preview: training images beside what augmentation makes of them, in one PNG.
#include <algorithm>
#include <memory>

#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "picture_files.hpp"
#include "vitcl/train/augmentation.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::cli {
namespace {

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string output;
  size_t images = 8, epochs = 9;
};

int run(const Options& options, const std::set<std::string>& from_file) {
  train::TrainConfig config = options.flags.config(from_file);
  const data::Dataset dataset = train::load_data(config, options.flags.named());
  tell_left_out(dataset);
  if (!config.augmentation.any() && !config.mix.any()) config.augmentation = train::usual_augmentation(dataset.name);
  Device device(select_device(config.device));
  const Notes note(options.quiet);
  const size_t rows = std::min(options.images, dataset.train.count);
  io::write_png(options.output, train::preview_augmentation(device, config, dataset, rows, options.epochs));
  note("{}: {} images of {}, as they are and in {} epochs", options.output, rows, dataset.name, options.epochs);
  return exit_done;
}

}  // namespace

Command add_data_preview(CLI::App& root, CLI::App& data) {
  auto options = std::make_shared<Options>();
  CLI::App* app = data.add_subcommand(
      "preview", "Draw training images beside what augmentation makes of them; without its options, the usual ones");
  app->add_option("--output", options->output, "PNG file to write")->required()->option_text("FILE");
  app->add_option("--images", options->images, "rows: the first so many training images")->option_text("N [8]");
  app->add_option("--epochs", options->epochs, "columns: the first so many epochs")->option_text("N [9]");
  options->flags.add(*app, {train::OptionGroup::augmentation});
  options->flags.add(*app, {"device", "data", "data-dir", "digits-seed", "val-split", "strict", "image-size",
                            "channels", "train-samples", "seed"});
  add_config_file(*app, *options);
  add_quiet(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

}  // namespace vitcl::cli
