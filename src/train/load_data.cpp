#include <algorithm>

#include "vitcl/data/load.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::train {
namespace {

void cut(data::Split& split, size_t samples) {
  if (samples == 0 || samples >= split.count) return;
  split.count = samples;
  split.pixels.resize(samples * split.image_bytes());
  split.labels.resize(samples);
}

}  // namespace

data::Dataset load_data(const TrainConfig& config) {
  data::LoadOptions options;
  options.data_dir = config.data_dir;
  options.digits_seed = config.digits_seed;
  options.normalisation = config.normalize ? data::Normalisation::standard : data::Normalisation::unit;
  data::Dataset dataset = data::load_dataset(config.data, options);
  cut(dataset.train, config.train_samples);
  cut(dataset.test, config.test_samples);
  return dataset;
}

}  // namespace vitcl::train
