// vitcl predict: which class an image shows.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "tuning.hpp"
#include "vitcl/io/image.hpp"
#include "vitcl/train/predictor.hpp"

namespace vitcl::cli {
namespace {

using nlohmann::ordered_json;

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string checkpoint;
  std::vector<std::string> images;
};

struct Prediction {
  std::string image;
  std::vector<float> probabilities;
  size_t best() const {
    return static_cast<size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
  }
};

/// A class's name, or its number where the checkpoint holds no names.
std::string class_name(const train::Checkpoint& checkpoint, size_t index) {
  return index < checkpoint.class_names.size() ? checkpoint.class_names[index] : std::to_string(index);
}

std::vector<uint8_t> fitted(const io::Image& image, const models::ViTConfig& model) {
  return io::planes(io::resized(io::with_channels(image, model.channels), model.image_size));
}

void print_json(const std::vector<Prediction>& predictions, const train::Checkpoint& checkpoint) {
  ordered_json list = ordered_json::array();
  for (const Prediction& prediction : predictions) {
    list.push_back({{"image", prediction.image},
                    {"class", prediction.best()},
                    {"name", class_name(checkpoint, prediction.best())},
                    {"probabilities", prediction.probabilities}});
  }
  print("{}\n", list.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

void print_text(const std::vector<Prediction>& predictions, const train::Checkpoint& checkpoint) {
  for (const Prediction& prediction : predictions) {
    print("{}: {}\n", prediction.image, class_name(checkpoint, prediction.best()));
    for (size_t i = 0; i < prediction.probabilities.size(); ++i) {
      print("  {:>7.3f} %  {}\n", 100 * prediction.probabilities[i], class_name(checkpoint, i));
    }
  }
}

int run(const Options& options, const std::set<std::string>& from_file) {
  const train::TrainConfig config = options.flags.config(from_file);
  std::vector<io::Image> images;
  for (const std::string& path : options.images) images.push_back(io::read_png(path));
  const DeviceInfo info = select_device(config.device);
  Device device(info, {.implementations = load_tuning(info, Notes(options.quiet)).names()});
  const train::Checkpoint checkpoint = train::load_checkpoint(options.checkpoint);
  train::Predictor predictor(device, checkpoint, config.patch_mask);
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < images.size(); ++i) {
    predictions.push_back({options.images[i], predictor.probabilities(fitted(images[i], checkpoint.model))});
  }
  if (options.json) {
    print_json(predictions, checkpoint);
  } else {
    print_text(predictions, checkpoint);
  }
  return exit_done;
}

}  // namespace

Command add_predict(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("predict", "Print the class probabilities of PNG images");
  app->add_option("CHECKPOINT", options->checkpoint, "checkpoint of a run")->required()->option_text(" ");
  app->add_option("IMAGE", options->images, "PNG files; stretched or shrunk to the model's size")
      ->required()
      ->option_text("...");
  options->flags.add(*app, {"device", "patch-mask"});
  add_config_file(*app, *options);
  add_json(*app, *options);
  add_quiet(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

}  // namespace vitcl::cli
