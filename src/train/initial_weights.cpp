#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::train {

io::Pretrained read_initial_weights(TrainConfig& config, const std::set<std::string>& named) {
  io::Pretrained weights =
      io::read_pretrained(config.initial_checkpoint, named.contains("heads") ? config.model.heads : 0);
  TrainConfig from_file = config;
  from_file.model = weights.model;
  const std::set<std::string_view> adaptable{"image-size", "channels", "classes"};
  for (const ConfigOption& option : config_options()) {
    const bool given = named.contains(std::string(option.name)) || named.contains("model");
    if (option.group != OptionGroup::model || !given || adaptable.contains(option.name)) continue;
    const std::string wanted = get_option(config, option), has = get_option(from_file, option);
    if (wanted != has) {
      throw UsageError(fmt::format("--initial-checkpoint {}: its model has {} {}, not {}; leave out --{}",
                                   config.initial_checkpoint, option.name, has, wanted,
                                   named.contains(std::string(option.name)) ? option.name : "model"));
    }
  }
  if (named.contains("image-size")) from_file.model.image_size = config.model.image_size;
  if (named.contains("channels")) from_file.model.channels = config.model.channels;
  if (named.contains("classes")) from_file.model.classes = config.model.classes;
  config.model = from_file.model;
  config.model.masked = false;
  return weights;
}

}  // namespace vitcl::train
