#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vitcl/models/vit.hpp"
#include "vitcl/nn/plan.hpp"
#include "vitcl/ops/augment.hpp"

namespace vitcl::train {

/// What to do with an image whose side is no multiple of the patch: pad it with black, or refuse the model.
enum class Padding { automatic, error };

/// What a run takes from the tuner: nothing, what it found earlier, or that and a search for what it has not yet found.
enum class TuneMode { off, load, search };

/// How gradients become updates, under timm's names: sgd has Nesterov's momentum, `momentum` the classical one.
enum class Opt { adam, adamw, sgd, momentum };

/// How the learning rate changes; see learning_rate.hpp.
enum class Sched { constant, cosine, step, plateau };

/// Where the changes to training images come from: only those that are asked for one by one, or the data set's usual
/// ones (see augmentation.hpp) first.
enum class AugmentPreset { none, usual };

/// How training mixes each image of a batch, and its target, with those of another, as timm's Mixup does in its mode
/// "batch".
struct MixOptions {
  double mixup = 0;          ///< alpha of mixup (Zhang et al. 2018): shares are drawn from Beta(alpha, alpha); 0: none
  double cutmix = 0;         ///< alpha of cutmix (Yun et al. 2019), likewise
  double prob = 1;           ///< probability that a batch is mixed
  double switch_prob = 0.5;  ///< probability that cutmix mixes it, where both are on

  bool any() const { return mixup > 0 || cutmix > 0; }
  bool operator==(const MixOptions&) const = default;
};

/// Everything that decides a training run. The defaults are the article's.
struct TrainConfig {
  std::string model_name = "article";  ///< the preset from which `model` started
  models::ViTConfig model;
  Padding padding = Padding::automatic;
  double mask_ratio = 0;   ///< the probability with which training hides each patch
  std::string patch_mask;  ///< one '0' (hidden) or '1' (visible) a patch, always applied; empty: everything is visible

  std::string data = "mnist";
  std::string data_dir;  ///< empty: the usual places
  size_t digits_seed = 0;
  double val_split = 0;      ///< the part of the training images to hold out and test on instead of the test images
  double data_memory = 0;    ///< MiB of images to keep at once; more are streamed. 0: half of the memory
  size_t workers = 0;        ///< threads that decode images; 0: as many as the processor runs at once
  bool strict = false;       ///< a picture that can't be decoded is an error; otherwise it is left out
  bool normalize = true;     ///< standardise with the data set's mean and deviation; otherwise pixels are in [0, 1]
  size_t train_samples = 0;  ///< use only the first so many; 0: all
  size_t test_samples = 0;

  AugmentPreset augment = AugmentPreset::none;
  ops::AugmentOptions augmentation;  ///< how training changes its images
  MixOptions mix;

  std::string initial_checkpoint;  ///< a file of weights to start from; empty: they are drawn
  std::string recipe = "article";
  size_t epochs = 25;
  size_t batch_size = 100;
  double lr = 0.003;
  double smoothing = 0;       ///< label smoothing
  std::string class_weights;  ///< in the loss: "balanced", or a number for each class between commas; empty: all 1
  models::DropRates drop;     ///< what training leaves out at random

  Opt opt = Opt::adam;
  double weight_decay = 0;  ///< not of biases, norms, positions and the class token
  double momentum = 0.9;
  std::vector<double> opt_betas = {0.9, 0.999};
  double opt_eps = 1e-8;
  double clip_grad = 0;             ///< the largest norm of all gradients together; 0: any
  double layer_decay = 1;           ///< each layer's learning rate is the next one's times this
  std::vector<std::string> freeze;  ///< parameters that stay as they are, as file name patterns
  size_t grad_accum_steps = 1;      ///< a step sums the gradients of so many batches
  bool model_ema = false;           ///< keep a moving average of the parameters and measure that
  double model_ema_decay = 0.9998;

  Sched sched = Sched::constant;
  size_t warmup_epochs = 0;
  double warmup_lr = 1e-5;  ///< where the warm-up begins
  double min_lr = 0;
  size_t decay_epochs = 10;
  double decay_rate = 0.1;
  size_t patience_epochs = 10;  ///< plateau: epochs without a better accuracy that change nothing
  size_t early_stopping = 0;    ///< end after so many epochs without a better accuracy; 0: never

  size_t seed = 0;
  bool recompute = false;                            ///< nn::PlanOptions::recompute
  bool fuse = true;                                  ///< nn::PlanOptions::fuse
  nn::Precision precision = nn::Precision::float32;  ///< of training; evaluation is always float32
  size_t checkpoint_every = 0;                       ///< steps between checkpoints; 0: at the end of each epoch only
  size_t checkpoint_hist = 10;                       ///< numbered checkpoints to keep, the newest; 0: all
  std::string device = "auto";
  TuneMode tune = TuneMode::load;

  /// Throws UsageError naming the option where a value is not possible or two do not fit together.
  void validate() const;
  /// The images from which a step makes its gradient.
  size_t step_images() const { return batch_size * grad_accum_steps; }
  /// Makes the data's folders and the initial weights mean the same from any working directory.
  void make_paths_absolute();
  /// The model as training runs it: with a mask input where this configuration masks patches.
  models::ViTConfig training_model() const;
  /// Whether the loss compares with soft targets (ops/mix.hpp) in place of labels.
  bool soft_targets() const { return mix.any() || !class_weights.empty(); }
  /// The graph that training runs; for `mean_over` see nn::CrossEntropy.
  nn::Graph training_graph(size_t mean_over = 0) const;
  /// The model as evaluation runs it: masked only by `patch_mask`.
  models::ViTConfig evaluation_model() const;

  bool operator==(const TrainConfig&) const = default;
};

/// Throws UsageError unless the mask has one '0' or '1' for each of the model's patches.
void validate_patch_mask(const std::string& mask, const models::ViTConfig& model);

/// Sets what a recipe decides: the model, the augmentation, the epochs, the loss, the optimiser and the schedule; for
/// "article" as TrainConfig's defaults have them, for "best" for the best accuracy on small images. validate() refuses
/// others.
void apply_recipe(TrainConfig& config, const std::string& name);

/// Where an option's value lives in a TrainConfig.
using OptionValue =
    std::variant<size_t*, double*, float*, bool*, std::string*, models::Stem*, models::Pool*, models::Head*,
                 models::AttentionScale*, models::Position*, Padding*, TuneMode*, AugmentPreset*, nn::Precision*, Opt*,
                 Sched*, std::vector<double>*, std::vector<std::string>*>;

/// Which part of a run an option decides.
enum class OptionGroup { model, mask, data, augmentation, training, device };

/// One option under the name that the command line (`--name`), configuration files and run folders share.
struct ConfigOption {
  std::string_view name;
  OptionGroup group;
  std::string_view help;
  bool changeable;  ///< a resumed run may change it
  OptionValue (*value)(TrainConfig&);
};
std::span<const ConfigOption> config_options();
/// Throws UsageError where no option has that name.
const ConfigOption& config_option(std::string_view name);

/// The option's value as text, as a configuration file holds it but without quotes.
std::string get_option(const TrainConfig& config, const ConfigOption& option);
/// What the option takes, for help texts: "N", "on|off", "cls|mean".
std::string accepted_values(const ConfigOption& option);
/// Values by option name.
using OptionTexts = std::map<std::string, std::string>;
/// Sets options from text. A `recipe` other than the present one is applied first and sets all that it decides; then
/// `model`, which resets every model option to its preset; `augment` resets every option of augmentation to its own (as
/// `data` does where augment is default); `pool` decides `class-token` where that is not given. Throws UsageError
/// naming the option and the values it takes.
void apply_options(TrainConfig& config, const OptionTexts& texts);

/// All options as a flat TOML document, and back. Reading throws StorageError naming the line.
std::string to_toml(const TrainConfig& config);
/// The same of the options that decide what a run computes and that --resume can't change: what its checkpoints tell.
std::string lasting_options(const TrainConfig& config);
TrainConfig config_from_toml(const std::string& text, const std::string& source);

}  // namespace vitcl::train
