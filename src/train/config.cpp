#include "vitcl/train/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vitcl/backend/error.hpp"
#include "vitcl/data/load.hpp"

namespace vitcl::train {
namespace {

void require(bool condition, std::string_view option, const std::string& got, std::string_view wanted) {
  if (!condition) throw UsageError(fmt::format("--{}: got {}, want {}", option, got, wanted));
}

}  // namespace

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
  require(recipe == "article", "recipe", '"' + recipe + '"', "article");
  require(epochs > 0, "epochs", "0", "at least 1");
  require(batch_size > 0, "batch-size", "0", "at least 1");
  require(std::isfinite(lr) && lr > 0, "lr", fmt::format("{}", lr), "a number above 0");
  require(smoothing >= 0 && smoothing < 1, "smoothing", fmt::format("{}", smoothing), "0 <= smoothing < 1");
}

void TrainConfig::make_paths_absolute() {
  namespace fs = std::filesystem;
  if (!data_dir.empty()) data_dir = fs::absolute(data_dir).lexically_normal().string();
  const std::vector<std::string> names = data::dataset_names();
  const bool is_folder = std::find(names.begin(), names.end(), data) == names.end();
  if (is_folder) data = fs::absolute(data).lexically_normal().string();
}

models::ViTConfig TrainConfig::training_model() const {
  models::ViTConfig config = model;
  config.masked = mask_ratio > 0 || !patch_mask.empty();
  return config;
}

models::ViTConfig TrainConfig::evaluation_model() const {
  models::ViTConfig config = model;
  config.masked = !patch_mask.empty();
  return config;
}

}  // namespace vitcl::train
