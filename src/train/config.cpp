#include "vitcl/train/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "class_weights.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/load.hpp"
#include "vitcl/train/augmentation.hpp"

namespace vitcl::train {
namespace {

void require(bool condition, std::string_view option, const std::string& got, std::string_view wanted) {
  if (!condition) throw UsageError(fmt::format("--{}: got {}, want {}", option, got, wanted));
}

void require_share(double value, std::string_view option) {
  require(value >= 0 && value < 1, option, fmt::format("{}", value), "0 or more and below 1");
}

void require_not_negative(double value, std::string_view option) {
  require(std::isfinite(value) && value >= 0, option, fmt::format("{}", value), "a number, 0 or more");
}

void validate_optimizer(const TrainConfig& config) {
  require(config.opt_betas.size() == 2, "opt-betas", fmt::format("{} numbers", config.opt_betas.size()),
          "two, as in 0.9,0.999");
  for (const double beta : config.opt_betas) require_share(beta, "opt-betas");
  require_share(config.momentum, "momentum");
  require_share(config.model_ema_decay, "model-ema-decay");
  require_not_negative(config.weight_decay, "weight-decay");
  require_not_negative(config.clip_grad, "clip-grad");
  require(std::isfinite(config.opt_eps) && config.opt_eps > 0, "opt-eps", fmt::format("{}", config.opt_eps),
          "a number above 0");
  require(config.layer_decay > 0 && config.layer_decay <= 1, "layer-decay", fmt::format("{}", config.layer_decay),
          "above 0 and at most 1");
  require(config.grad_accum_steps > 0, "grad-accum-steps", "0", "at least 1");
}

void validate_schedule(const TrainConfig& config) {
  require_not_negative(config.warmup_lr, "warmup-lr");
  require_not_negative(config.min_lr, "min-lr");
  require(config.min_lr <= config.lr, "min-lr", fmt::format("{}", config.min_lr),
          fmt::format("at most --lr, {}", config.lr));
  require(config.decay_rate > 0 && config.decay_rate <= 1, "decay-rate", fmt::format("{}", config.decay_rate),
          "above 0 and at most 1");
  require(config.decay_epochs > 0, "decay-epochs", "0", "at least 1");
}

void validate_augmentation(const ops::AugmentOptions& options, size_t side) {
  const auto check = [](std::string_view option, float value, float most, std::string_view wanted) {
    require(value >= 0 && value <= most, option, fmt::format("{}", value), wanted);
  };
  check("hflip", options.hflip, 1, "a probability from 0 to 1");
  check("degrees", options.degrees, 180, "0 to 180");
  check("translate", options.translate, 1, "a share from 0 to 1");
  check("scale", options.scale, 0.9F, "0 to 0.9");
  check("shear", options.shear, 60, "0 to 60 degrees");
  check("color-jitter", options.color_jitter, 1, "0 to 1");
  check("reprob", options.reprob, 1, "a probability from 0 to 1");
  require(options.crop_padding < side, "crop-padding", fmt::format("{}", options.crop_padding),
          fmt::format("less than the images' side, {}", side));
}

void validate_mix(const MixOptions& options) {
  const auto require_probability = [](double value, std::string_view option) {
    require(value >= 0 && value <= 1, option, fmt::format("{}", value), "a probability from 0 to 1");
  };
  require_not_negative(options.mixup, "mixup");
  require_not_negative(options.cutmix, "cutmix");
  require_probability(options.prob, "mixup-prob");
  require_probability(options.switch_prob, "mixup-switch-prob");
}

}  // namespace

// The numbers of "best" were chosen on held-out training images of MNIST and Fashion-MNIST: docs/training.md.
void apply_recipe(TrainConfig& config, const std::string& name) {
  const bool best = name == "best";
  const TrainConfig article;
  config.recipe = name;
  config.model_name = best ? "compact" : article.model_name;
  config.model = models::preset(config.model_name);
  config.augment = best ? AugmentPreset::usual : article.augment;
  config.augmentation = best ? usual_augmentation(config.data) : article.augmentation;
  config.epochs = best ? 30 : article.epochs;
  config.lr = best ? 0.002 : article.lr;
  config.smoothing = best ? 0.1 : article.smoothing;
  config.opt = best ? Opt::adamw : article.opt;
  config.weight_decay = best ? 0.05 : article.weight_decay;
  config.clip_grad = best ? 1 : article.clip_grad;
  config.model_ema = best;
  config.model_ema_decay = best ? 0.998 : article.model_ema_decay;
  config.sched = best ? Sched::cosine : article.sched;
  config.warmup_epochs = best ? 1 : article.warmup_epochs;
  config.min_lr = best ? 1e-5 : article.min_lr;
}

void validate_patch_mask(const std::string& mask, const models::ViTConfig& model) {
  require(mask.find_first_not_of("01") == std::string::npos, "patch-mask", '"' + mask + '"',
          "only the characters 0 and 1");
  require(mask.size() == model.patches(), "patch-mask", fmt::format("{} characters", mask.size()),
          fmt::format("{}, one for each of the {} x {} patches", model.patches(), model.grid(), model.grid()));
}

void TrainConfig::validate() const {
  model.validate();
  require(padding == Padding::automatic || model.image_size % model.patch_size == 0, "pad",
          fmt::format("error with image size {} and patch size {}", model.image_size, model.patch_size),
          "an image size that is a multiple of the patch size, or auto");
  require(mask_ratio >= 0 && mask_ratio < 1, "mask-ratio", fmt::format("{}", mask_ratio), "0 <= ratio < 1");
  if (!patch_mask.empty()) validate_patch_mask(patch_mask, model);
  require(patch_mask.empty() || mask_ratio == 0, "mask-ratio", fmt::format("{} beside --patch-mask", mask_ratio),
          "one of the two");
  require(val_split >= 0 && val_split < 1, "val-split", fmt::format("{}", val_split), "0 <= part < 1");
  require(std::isfinite(data_memory) && data_memory >= 0, "data-memory", fmt::format("{}", data_memory),
          "a number of MiB, 0 or more");
  validate_augmentation(augmentation, model.image_size);
  validate_mix(mix);
  require(recipe == "article" || recipe == "best", "recipe", '"' + recipe + '"', "article or best");
  require(epochs > 0, "epochs", "0", "at least 1");
  require(batch_size > 0, "batch-size", "0", "at least 1");
  require(std::isfinite(lr) && lr > 0, "lr", fmt::format("{}", lr), "a number above 0");
  require(smoothing >= 0 && smoothing < 1, "smoothing", fmt::format("{}", smoothing), "0 <= smoothing < 1");
  given_class_weights(class_weights);
  for (const auto& [option, rate] : {std::pair("drop", drop.head),
                                     {"pos-drop", drop.positions},
                                     {"proj-drop", drop.projection},
                                     {"attn-drop", drop.attention},
                                     {"drop-path", drop.path}}) {
    require(rate >= 0 && rate < 1, option, fmt::format("{}", rate), "0 or more and below 1");
  }
  validate_optimizer(*this);
  validate_schedule(*this);
}

void TrainConfig::make_paths_absolute() {
  namespace fs = std::filesystem;
  if (!data_dir.empty()) data_dir = fs::absolute(data_dir).lexically_normal().string();
  const std::vector<std::string> names = data::dataset_names();
  const bool is_folder = std::find(names.begin(), names.end(), data) == names.end();
  if (is_folder) data = fs::absolute(data).lexically_normal().string();
  if (!initial_checkpoint.empty()) initial_checkpoint = fs::absolute(initial_checkpoint).lexically_normal().string();
}

models::ViTConfig TrainConfig::training_model() const {
  models::ViTConfig config = model;
  config.masked = mask_ratio > 0 || !patch_mask.empty();
  return config;
}

nn::Graph TrainConfig::training_graph(size_t mean_over) const {
  return models::vit_training_graph(training_model(),
                                    {.label_smoothing = soft_targets() ? 0 : static_cast<float>(smoothing),
                                     .mean_over = mean_over,
                                     .soft_targets = soft_targets(),
                                     .drop = drop});
}

models::ViTConfig TrainConfig::evaluation_model() const {
  models::ViTConfig config = model;
  config.masked = !patch_mask.empty();
  return config;
}

}  // namespace vitcl::train
