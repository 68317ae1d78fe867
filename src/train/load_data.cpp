#include "single_device.hpp"
#include "vitcl/data/load.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::train {

namespace {

data::LoadOptions load_options(const TrainConfig& config) {
  data::LoadOptions options;
  options.data_dir = config.data_dir;
  options.digits_seed = config.digits_seed;
  options.normalisation = config.normalize ? data::Normalisation::standard : data::Normalisation::unit;
  options.train_samples = config.train_samples;
  options.test_samples = config.test_samples;
  options.val_split = config.val_split;
  options.workers = config.workers;
  options.strict = config.strict;
  options.most_bytes = data_memory_bytes(config);
  options.image_size = config.model.image_size;
  options.channels = config.model.channels;
  return options;
}

/// Names the data that `auto` found, whose the usual augmentation then is, but for options of it that are `named`.
void name_data(TrainConfig& config, const std::string& found, const std::set<std::string>& named) {
  OptionTexts texts;
  for (const std::string& name : named) {
    const ConfigOption& option = config_option(name);
    if (option.group == OptionGroup::augmentation) texts[name] = get_option(config, option);
  }
  texts["data"] = found;
  apply_options(config, texts);
}

}  // namespace

data::Dataset load_data(const TrainConfig& config) { return data::load_dataset(config.data, load_options(config)); }

data::Dataset load_data(TrainConfig& config, const std::set<std::string>& named) {
  const auto set = [&](const char* name, size_t& value, size_t wanted) {
    if (!named.contains(name)) value = wanted;
  };
  const auto adapt = [&](const data::ImageShape& shape) {
    set("image-size", config.model.image_size, shape.side);
    set("channels", config.model.channels, shape.channels);
    set("classes", config.model.classes, shape.classes);
    config.validate();
  };
  const std::optional<data::ImageShape> known = data::known_shape(config.data);
  if (known) adapt(*known);
  if (!known) config.validate();  // before time is spent on decoding
  data::LoadOptions options = load_options(config);
  if (config.initial_checkpoint.empty()) {
    set("image-size", options.image_size, 0);
    set("channels", options.channels, 0);
  }
  data::Dataset dataset = data::load_dataset(config.data, options);
  if (!known) adapt({dataset.train.side, dataset.train.channels, dataset.classes});
  if (config.data == "auto") name_data(config, dataset.name, named);
  return dataset;
}

}  // namespace vitcl::train
