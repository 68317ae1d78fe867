#include "vitcl/data/load.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::train {

data::Dataset load_data(const TrainConfig& config) {
  data::LoadOptions options;
  options.data_dir = config.data_dir;
  options.digits_seed = config.digits_seed;
  options.normalisation = config.normalize ? data::Normalisation::standard : data::Normalisation::unit;
  options.train_samples = config.train_samples;
  options.test_samples = config.test_samples;
  return data::load_dataset(config.data, options);
}

}  // namespace vitcl::train
