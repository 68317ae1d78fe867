// vitcl predict: which classes pictures show.
#include <algorithm>
#include <cmath>
#include <memory>

#include "attention_picture.hpp"
#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "picture_files.hpp"
#include "predict_report.hpp"
#include "tuning.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/dataset.hpp"
#include "vitcl/train/predictor.hpp"

namespace vitcl::cli {
namespace {

constexpr size_t pictures_at_once = 32;  // enough to keep a device busy, few enough for any memory

struct Options : CommonOptions {
  ConfigFlags flags;
  std::string checkpoint, attention, invert = "auto";
  std::vector<std::string> images;
  size_t topk = 3;
  bool csv = false, strict = false;
};

/// A picture as the model reads it.
struct Fitted {
  std::string name;
  bool inverted = false;
  io::Image picture;            ///< of its own size; kept only to draw on
  std::vector<uint8_t> pixels;  ///< (channels, image_size, image_size)
};

/// The negative of a picture whose ground has the brightness `ground`, 0 to 1; the ground becomes black.
io::Image negative(io::Image image, double ground) {
  for (uint8_t& sample : image.pixels)
    sample = static_cast<uint8_t>(std::lround(255 * std::max(0.0, 1 - sample / (255 * ground))));
  return image;
}

/// Makes pictures what the model reads: of its size and channels, and light on dark where it learned from such.
class Fitting {
 public:
  Fitting(const train::Checkpoint& checkpoint, const std::string& invert) : model_(checkpoint.model), invert_(invert) {
    light_on_dark_ = checkpoint.border_brightness >= 0 && checkpoint.border_brightness < dark;
  }

  /// Stretches or shrinks a picture to the model's size, and inverts it where that is wanted.
  Fitted fit(std::string name, io::Image picture) const {
    Fitted fitted{std::move(name), false, std::move(picture), {}};
    fitted.pixels = pixels(fitted.picture);
    const double border = data::border_brightness(fitted.pixels, model_.channels, model_.image_size);
    const bool is_light = border > light;
    if (invert_ == "off" || (invert_ == "auto" && !(light_on_dark_ && is_light))) return fitted;
    fitted.inverted = true;
    fitted.picture = negative(std::move(fitted.picture), is_light ? border : 1);
    fitted.pixels = pixels(fitted.picture);
    return fitted;
  }

 private:
  static constexpr double dark = 0.25, light = 0.5;  // borders
  std::vector<uint8_t> pixels(const io::Image& picture) const {
    return io::planes(io::resized(io::with_channels(picture, model_.channels), model_.image_size));
  }

  const models::ViTConfig& model_;
  const std::string& invert_;
  bool light_on_dark_ = false;
};

/// Reads and fits the next pictures; tells of those in folders that can't be read, unless --strict.
std::vector<Fitted> read_batch(std::span<const PictureFile> files, const Fitting& fitting, const Options& options) {
  std::vector<Fitted> batch;
  for (const PictureFile& file : files) {
    try {
      batch.push_back(fitting.fit(file.path.string(), read_picture(file)));
      if (options.attention.empty()) batch.back().picture = {};
    } catch (const DataError& error) {
      if (options.strict || !file.in_folder) throw;
      print_error(fmt::format("skipped: {}", error.what()));
    }
  }
  return batch;
}

std::vector<Prediction> predict(train::Predictor& predictor, const std::vector<Fitted>& batch) {
  std::vector<uint8_t> images;
  for (const Fitted& fitted : batch) images.insert(images.end(), fitted.pixels.begin(), fitted.pixels.end());
  const std::vector<float> all = predictor.probabilities(images);
  const auto classes = static_cast<std::ptrdiff_t>(all.size() / batch.size());
  std::vector<Prediction> predictions;
  auto row = all.begin();
  for (const Fitted& fitted : batch) {
    predictions.push_back({fitted.name, fitted.inverted, {row, row + classes}});
    row += classes;
  }
  return predictions;
}

void print_predictions(const std::vector<Prediction>& predictions, const train::Checkpoint& checkpoint,
                       const Options& options) {
  if (options.json) return print_predictions_json(predictions, checkpoint, options.topk);
  if (options.csv) return print_predictions_csv(predictions, checkpoint, options.topk);
  print_predictions_table(predictions, checkpoint, options.topk);
}

void tell_inversions(const std::vector<Prediction>& predictions, const Options& options, const Notes& note) {
  const auto inverted = std::ranges::count_if(predictions, [](const auto& prediction) { return prediction.inverted; });
  if (inverted == 0 || options.invert != "auto") return;
  note(
      "inverted {} of {}: dark on light, where the model learned from light on dark; --invert off takes them as they "
      "are",
      inverted, predictions.size() == 1 ? "1 picture" : fmt::format("{} pictures", predictions.size()));
}

int run(const Options& options, const std::set<std::string>& from_file) {
  const train::TrainConfig config = options.flags.config(from_file);
  const std::vector<PictureFile> files = picture_files(options.images);
  if (!options.attention.empty() && files.size() != 1)
    throw UsageError(fmt::format("--attention draws what is seen in one picture; {} were given", files.size()));
  const train::Checkpoint checkpoint = train::load_checkpoint(options.checkpoint);
  const Notes note(options.quiet);
  const DeviceInfo info = select_device(config.device);
  Device device(info, {.implementations = load_tuning(info, note).names()});
  train::Predictor predictor(device, checkpoint, config.patch_mask, std::min(files.size(), pictures_at_once));
  const Fitting fitting(checkpoint, options.invert);
  std::vector<Prediction> predictions;
  for (std::span<const PictureFile> rest(files); !rest.empty();
       rest = rest.subspan(std::min(rest.size(), pictures_at_once))) {
    const std::vector<Fitted> batch = read_batch(rest.first(std::min(rest.size(), pictures_at_once)), fitting, options);
    if (batch.empty()) continue;
    std::ranges::move(predict(predictor, batch), std::back_inserter(predictions));
    if (options.attention.empty()) continue;
    const train::AttentionMaps maps = predictor.attention(batch.front().pixels);
    io::write_png(options.attention, attention_picture(batch.front().picture, checkpoint.model, maps));
  }
  if (predictions.empty()) throw DataError("none of the pictures can be read");
  print_predictions(predictions, checkpoint, options);
  tell_inversions(predictions, options, note);
  if (predictions.size() < files.size())
    print_error(fmt::format("{} of {} pictures can't be read", files.size() - predictions.size(), files.size()));
  return exit_done;
}

}  // namespace

Command add_predict(CLI::App& root) {
  auto options = std::make_shared<Options>();
  CLI::App* app = root.add_subcommand("predict", "Print the most probable classes of pictures");
  app->add_option("CHECKPOINT", options->checkpoint, "checkpoint of a run")->required()->option_text(" ");
  app->add_option(
         "IMAGE", options->images,
         "PNG or JPEG files, folders of them, or - for standard input; stretched or shrunk to the model's size")
      ->required()
      ->option_text("...");
  add_topk(*app, options->topk, "show the K most probable classes");
  app->add_option("--invert", options->invert,
                  "negatives: auto: of pictures on a light ground, where the model learned from a dark one; on; off")
      ->option_text("auto|on|off [auto]")
      ->check(CLI::IsMember({"auto", "on", "off"}));
  app->add_option("--attention", options->attention, "draw what the model looks at in the one picture given")
      ->option_text("OUT.png");
  app->add_flag("--strict", options->strict,
                "refuse a folder with a picture that can't be read, instead of skipping it");
  options->flags.add(*app, {"device", "patch-mask"});
  add_config_file(*app, *options);
  add_json(*app, *options);
  app->add_flag("--csv", options->csv, "print comma-separated values, a line a picture; not with --json")
      ->excludes(app->get_option("--json"));
  add_quiet(*app, *options);
  return {app, [options, app, &root] { return run(*options, complete_options(root, *app)); }};
}

}  // namespace vitcl::cli
