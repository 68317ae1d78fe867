#pragma once

#include <atomic>

#include "vitcl/tensor/random.hpp"
#include "vitcl/train/trainer.hpp"

namespace vitcl::test {

/// Random images whose class is told by which quarter is bright: small enough for any device, learnable in a few steps.
inline data::Split tiny_split(size_t count, uint64_t seed) {
  constexpr size_t side = 8;
  data::Split split{.count = count, .channels = 1, .side = side, .pixels = {}, .labels = {}};
  Random random(seed);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t label = random.below(3);
    split.labels.push_back(static_cast<int32_t>(label));
    for (size_t p = 0; p < side * side; ++p) {
      const bool bright = p / (side * side / 2) * 2 + p % side / (side / 2) == label;
      split.pixels.push_back(static_cast<uint8_t>(random.below(100) + (bright ? 150 : 0)));
    }
  }
  return split;
}

inline data::Dataset tiny_data() {
  data::Dataset dataset{.name = "quarters",
                        .source = "drawn",
                        .train = tiny_split(22, 1),
                        .test = tiny_split(7, 2),
                        .classes = 3,
                        .mean = {},
                        .deviation = {},
                        .class_names = {"a", "b", "c"},
                        .unreadable = {}};
  data::measure_normalisation(dataset);
  return dataset;
}

/// Three steps an epoch, the last of them smaller.
inline train::TrainConfig tiny_config() {
  train::TrainConfig config;
  config.model = {.image_size = 8, .patch_size = 4, .classes = 3, .dim = 8, .depth = 1, .heads = 2, .mlp_dim = 8};
  config.batch_size = 8;
  config.epochs = 2;
  config.lr = 0.01;
  return config;
}

/// Something of everything that can be dropped; stochastic depth needs two blocks.
inline void drop_something(train::TrainConfig& config) {
  config.model.depth = 2;
  config.drop = {.head = 0.1F, .positions = 0.1F, .projection = 0.1F, .attention = 0.2F, .path = 0.5F};
}

/// Sets `stop` once the run has reported so many times.
class StopAfter final : public train::TrainObserver {
 public:
  StopAfter(size_t reports, std::atomic<bool>& stop) : left_(reports), stop_(stop) {}
  void on_progress(const train::Progress&) override {
    if (left_ > 0 && --left_ == 0) stop_ = true;
  }

 private:
  size_t left_;
  std::atomic<bool>& stop_;
};

}  // namespace vitcl::test
