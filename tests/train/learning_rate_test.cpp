#include "vitcl/train/learning_rate.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace vitcl::test {
namespace {

using train::learning_rate;
using train::Sched;
using train::TrainConfig;

TrainConfig scheduled(Sched sched) {
  TrainConfig config;
  config.epochs = 8;
  config.lr = 0.5;
  config.sched = sched;
  config.decay_rate = 0.25;
  config.decay_epochs = 3;
  return config;
}

TEST(LearningRate, IsConstantUnlessScheduled) {
  EXPECT_EQ(train::learning_rates(TrainConfig{}, 7, 3), std::vector<double>(3, 0.003));
}

TEST(LearningRate, WarmsUpOnALineAndJoinsTheSchedule) {
  TrainConfig config = scheduled(Sched::constant);
  config.warmup_epochs = 2;
  config.warmup_lr = 0.1;
  const std::vector<double> wanted = {0.1, 0.2, 0.3, 0.4, 0.5, 0.5};
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_NEAR(learning_rate(config, static_cast<double>(i) / 2), wanted[i], 1e-15) << i;
  }
  config.sched = Sched::cosine;
  EXPECT_DOUBLE_EQ(learning_rate(config, 4), 0.25) << "the cosine runs beneath the warm-up, as in timm";
}

TEST(LearningRate, FallsAsACosine) {
  TrainConfig config = scheduled(Sched::cosine);
  config.min_lr = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0), 0.5);
  EXPECT_NEAR(learning_rate(config, 2), 0.1 + 0.2 * (1 + std::sqrt(0.5)), 1e-15);
  EXPECT_NEAR(learning_rate(config, 4), 0.3, 1e-15);
  EXPECT_NEAR(learning_rate(config, 8), 0.1, 1e-15);
  EXPECT_EQ(train::learning_rates(config, 1, 4)[2], learning_rate(config, 1.5));
}

TEST(LearningRate, FallsInSteps) {
  const TrainConfig config = scheduled(Sched::step);
  EXPECT_DOUBLE_EQ(learning_rate(config, 2.99), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(config, 3), 0.125);
  EXPECT_DOUBLE_EQ(learning_rate(config, 6.5), 0.03125);
}

TEST(LearningRate, FallsOnAPlateau) {
  TrainConfig config = scheduled(Sched::plateau);
  config.min_lr = 0.05;
  EXPECT_DOUBLE_EQ(learning_rate(config, 5), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(config, 5, 1), 0.125);
  EXPECT_DOUBLE_EQ(learning_rate(config, 5, 2), 0.05);
}

}  // namespace
}  // namespace vitcl::test
