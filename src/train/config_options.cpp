// The table of options: one row gives the flag, the key in configuration files and run folders, and the help.
#include <fmt/format.h>

#include <array>

#include "vitcl/backend/error.hpp"
#include "vitcl/train/config.hpp"

namespace vitcl::train {
namespace {

using Config = TrainConfig;
using Value = OptionValue;
constexpr OptionGroup model = OptionGroup::model;
constexpr OptionGroup mask = OptionGroup::mask;
constexpr OptionGroup data = OptionGroup::data;
constexpr OptionGroup augmentation = OptionGroup::augmentation;
constexpr OptionGroup training = OptionGroup::training;

const std::array options = {
    ConfigOption{"model", model, "preset to start from: article, tiny, small or base", false,
                 [](Config& c) -> Value { return &c.model_name; }},
    ConfigOption{"image-size", model, "side of the square images in pixels; the data's, where it is not given", false,
                 [](Config& c) -> Value { return &c.model.image_size; }},
    ConfigOption{"patch-size", model, "side of a patch in pixels", false,
                 [](Config& c) -> Value { return &c.model.patch_size; }},
    ConfigOption{"channels", model, "colour channels of an image; likewise", false,
                 [](Config& c) -> Value { return &c.model.channels; }},
    ConfigOption{"classes", model, "classes to tell apart; likewise", false,
                 [](Config& c) -> Value { return &c.model.classes; }},
    ConfigOption{"dim", model, "width of a token", false, [](Config& c) -> Value { return &c.model.dim; }},
    ConfigOption{"depth", model, "encoder blocks", false, [](Config& c) -> Value { return &c.model.depth; }},
    ConfigOption{"heads", model, "attention heads; must divide dim", false,
                 [](Config& c) -> Value { return &c.model.heads; }},
    ConfigOption{"mlp-dim", model, "hidden width of the MLPs", false,
                 [](Config& c) -> Value { return &c.model.mlp_dim; }},
    ConfigOption{"pool", model, "cls: classify the class token; mean: the mean of the patches", false,
                 [](Config& c) -> Value { return &c.model.pool; }},
    ConfigOption{"class-token", model, "on: prepend a class token (always with --pool cls)", false,
                 [](Config& c) -> Value { return &c.model.class_token; }},
    ConfigOption{"head", model, "classifier: linear, or mlp (Linear, GELU, Linear)", false,
                 [](Config& c) -> Value { return &c.model.head; }},
    ConfigOption{"attention-scale", model, "scores are scaled by dim^-0.5 (dim) or (dim / heads)^-0.5 (head_dim)",
                 false, [](Config& c) -> Value { return &c.model.scale; }},
    ConfigOption{"position", model, "position embedding: learned, or sincos (fixed)", false,
                 [](Config& c) -> Value { return &c.model.position; }},
    ConfigOption{"qkv-bias", model, "on: query, key and value have a bias", false,
                 [](Config& c) -> Value { return &c.model.qkv_bias; }},
    ConfigOption{"final-norm", model, "on: LayerNorm behind the last block", false,
                 [](Config& c) -> Value { return &c.model.final_norm; }},
    ConfigOption{"pooled-norm", model, "on: LayerNorm behind the pooling", false,
                 [](Config& c) -> Value { return &c.model.pooled_norm; }},
    ConfigOption{"norm-epsilon", model, "epsilon of every LayerNorm", false,
                 [](Config& c) -> Value { return &c.model.norm_epsilon; }},
    ConfigOption{"pad", model, "image side no multiple of the patch: auto pads with black, error refuses", false,
                 [](Config& c) -> Value { return &c.padding; }},
    ConfigOption{"mask-ratio", mask, "hide each patch with this probability in training", false,
                 [](Config& c) -> Value { return &c.mask_ratio; }},
    ConfigOption{"patch-mask", mask, "fixed mask: one 0 (hidden) or 1 (visible) a patch, row by row", false,
                 [](Config& c) -> Value { return &c.patch_mask; }},
    ConfigOption{"data", data,
                 "mnist, fashion-mnist, cifar10, cifar100, digits (built in), auto (mnist, fashion-mnist or digits), "
                 "or a folder",
                 false, [](Config& c) -> Value { return &c.data; }},
    ConfigOption{"data-dir", data, "folder with the data files; without it $VITCL_DATA_DIR, ./data, the user's cache",
                 true, [](Config& c) -> Value { return &c.data_dir; }},
    ConfigOption{"digits-seed", data, "seed from which the built-in digits are drawn", false,
                 [](Config& c) -> Value { return &c.digits_seed; }},
    ConfigOption{"val-split", data, "test on this part of a folder's pictures, where it has none to test on", false,
                 [](Config& c) -> Value { return &c.val_split; }},
    ConfigOption{
        "data-memory", data,
        "MiB of images to keep at once, on the host and on the device; more are streamed (0: half of the memory)", true,
        [](Config& c) -> Value { return &c.data_memory; }},
    ConfigOption{"workers", data, "threads that decode pictures (0: as many as there are)", true,
                 [](Config& c) -> Value { return &c.workers; }},
    ConfigOption{"normalize", data, "on: standardise pixels with the data set's mean and deviation; off: [0, 1]", false,
                 [](Config& c) -> Value { return &c.normalize; }},
    ConfigOption{"train-samples", data, "train on the first so many images only (0: all)", false,
                 [](Config& c) -> Value { return &c.train_samples; }},
    ConfigOption{"test-samples", data, "test on the first so many images only (0: all)", false,
                 [](Config& c) -> Value { return &c.test_samples; }},
    ConfigOption{"augment", augmentation, "default: change training images as is usual for the data set", false,
                 [](Config& c) -> Value { return &c.augment; }},
    ConfigOption{"hflip", augmentation, "probability of a mirror image", false,
                 [](Config& c) -> Value { return &c.augmentation.hflip; }},
    ConfigOption{"degrees", augmentation, "turn by up to so many degrees", false,
                 [](Config& c) -> Value { return &c.augmentation.degrees; }},
    ConfigOption{"translate", augmentation, "shift by up to this share of the side", false,
                 [](Config& c) -> Value { return &c.augmentation.translate; }},
    ConfigOption{"scale", augmentation, "zoom by a factor from 1 - X to 1 + X", false,
                 [](Config& c) -> Value { return &c.augmentation.scale; }},
    ConfigOption{"shear", augmentation, "shear by up to so many degrees", false,
                 [](Config& c) -> Value { return &c.augmentation.shear; }},
    ConfigOption{"crop-padding", augmentation, "pad by so many black pixels, then crop at random", false,
                 [](Config& c) -> Value { return &c.augmentation.crop_padding; }},
    ConfigOption{"color-jitter", augmentation, "brightness and contrast times factors from 1 - X to 1 + X", false,
                 [](Config& c) -> Value { return &c.augmentation.color_jitter; }},
    ConfigOption{"reprob", augmentation, "probability of an erased rectangle", false,
                 [](Config& c) -> Value { return &c.augmentation.reprob; }},
    ConfigOption{"mixup", augmentation, "mix each image with another of its batch, alpha of the shares (0: off)", false,
                 [](Config& c) -> Value { return &c.mix.mixup; }},
    ConfigOption{"cutmix", augmentation, "replace a rectangle of each image by another's, likewise", false,
                 [](Config& c) -> Value { return &c.mix.cutmix; }},
    ConfigOption{"mixup-prob", augmentation, "probability that a batch is mixed, by --mixup or --cutmix", false,
                 [](Config& c) -> Value { return &c.mix.prob; }},
    ConfigOption{"mixup-switch-prob", augmentation, "probability of --cutmix where both are on", false,
                 [](Config& c) -> Value { return &c.mix.switch_prob; }},
    ConfigOption{"recipe", training,
                 "preset to start from: article (Adam at a constant rate), or best (see docs/training.md)", false,
                 [](Config& c) -> Value { return &c.recipe; }},
    ConfigOption{"epochs", training, "passes over the training images", true,
                 [](Config& c) -> Value { return &c.epochs; }},
    ConfigOption{"batch-size", training, "images a step", false, [](Config& c) -> Value { return &c.batch_size; }},
    ConfigOption{"lr", training, "learning rate", true, [](Config& c) -> Value { return &c.lr; }},
    ConfigOption{"smoothing", training, "label smoothing", false, [](Config& c) -> Value { return &c.smoothing; }},
    ConfigOption{"class-weights", training, "of the loss: balanced, or one a class between commas", false,
                 [](Config& c) -> Value { return &c.class_weights; }},
    ConfigOption{"opt", training, "optimiser; sgd is with Nesterov's momentum, momentum without", false,
                 [](Config& c) -> Value { return &c.opt; }},
    ConfigOption{"weight-decay", training, "not of biases, norms, positions, class token; adamw: decoupled", false,
                 [](Config& c) -> Value { return &c.weight_decay; }},
    ConfigOption{"momentum", training, "of --opt sgd and momentum", false,
                 [](Config& c) -> Value { return &c.momentum; }},
    ConfigOption{"opt-betas", training, "of --opt adam and adamw: how much of the moments each step keeps", false,
                 [](Config& c) -> Value { return &c.opt_betas; }},
    ConfigOption{"opt-eps", training, "of --opt adam and adamw", false, [](Config& c) -> Value { return &c.opt_eps; }},
    ConfigOption{"clip-grad", training, "largest norm of all gradients together (0: any)", false,
                 [](Config& c) -> Value { return &c.clip_grad; }},
    ConfigOption{"layer-decay", training, "each layer's learning rate is the next one's times this", false,
                 [](Config& c) -> Value { return &c.layer_decay; }},
    ConfigOption{"freeze", training, "parameters to leave as they are: names or patterns, as in blocks.0.*,tokens.*",
                 false, [](Config& c) -> Value { return &c.freeze; }},
    ConfigOption{"grad-accum-steps", training, "sum the gradients of so many batches for a step", false,
                 [](Config& c) -> Value { return &c.grad_accum_steps; }},
    ConfigOption{"model-ema", training, "on: keep a moving average of the parameters, measure and save it", false,
                 [](Config& c) -> Value { return &c.model_ema; }},
    ConfigOption{"model-ema-decay", training, "how much of the average each step keeps", false,
                 [](Config& c) -> Value { return &c.model_ema_decay; }},
    ConfigOption{"sched", training, "schedule of the learning rate", false,
                 [](Config& c) -> Value { return &c.sched; }},
    ConfigOption{"warmup-epochs", training, "raise the learning rate from --warmup-lr for so long", false,
                 [](Config& c) -> Value { return &c.warmup_epochs; }},
    ConfigOption{"warmup-lr", training, "where the warm-up begins", false,
                 [](Config& c) -> Value { return &c.warmup_lr; }},
    ConfigOption{"min-lr", training, "least learning rate of --sched cosine and plateau", false,
                 [](Config& c) -> Value { return &c.min_lr; }},
    ConfigOption{"decay-epochs", training, "--sched step: epochs from one decay to the next", false,
                 [](Config& c) -> Value { return &c.decay_epochs; }},
    ConfigOption{"decay-rate", training, "--sched step and plateau: the factor of a decay", false,
                 [](Config& c) -> Value { return &c.decay_rate; }},
    ConfigOption{"patience-epochs", training, "--sched plateau: epochs without a better accuracy that change nothing",
                 false, [](Config& c) -> Value { return &c.patience_epochs; }},
    ConfigOption{"early-stopping", training, "end after so many epochs without a better accuracy (0: never)", true,
                 [](Config& c) -> Value { return &c.early_stopping; }},
    ConfigOption{"seed", training, "decides the initial parameters, the order of the images and the masks", false,
                 [](Config& c) -> Value { return &c.seed; }},
    ConfigOption{"checkpoint-every", training, "steps between checkpoints (0: one at the end of each epoch)", true,
                 [](Config& c) -> Value { return &c.checkpoint_every; }},
    ConfigOption{"checkpoint-hist", training, "numbered checkpoints to keep, the newest (0: all)", true,
                 [](Config& c) -> Value { return &c.checkpoint_hist; }},
    ConfigOption{"recompute", training, "on: compute activations a second time to save memory; the same bits", true,
                 [](Config& c) -> Value { return &c.recompute; }},
    ConfigOption{"fuse", training, "off: run the plain layers, none of them fused and no row left out", false,
                 [](Config& c) -> Value { return &c.fuse; }},
    ConfigOption{"precision", training,
                 "mixed: activations and their gradients in 16 bits, computed in float32, on devices with cl_khr_fp16",
                 false, [](Config& c) -> Value { return &c.precision; }},
    ConfigOption{
        "device", OptionGroup::device,
        "auto, cpu, gpu, accelerator, INDEX, P:D or a name; see `vitcl devices`. train: several, as in pocl,intel",
        true, [](Config& c) -> Value { return &c.device; }},
    ConfigOption{"tune", OptionGroup::device,
                 "kernels: off: shipped choices, load: those that `vitcl tune` found, search: look for missing ones",
                 false, [](Config& c) -> Value { return &c.tune; }},
};

}  // namespace

std::span<const ConfigOption> config_options() { return options; }

const ConfigOption& config_option(std::string_view name) {
  for (const ConfigOption& option : options) {
    if (option.name == name) return option;
  }
  throw UsageError(fmt::format("there is no option \"{}\"; `vitcl train --help` lists them", name));
}

}  // namespace vitcl::train
