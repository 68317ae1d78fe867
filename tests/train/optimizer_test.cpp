// What the options of the optimiser make of a run.
#include "train/optimizer.hpp"

#include <cmath>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "tiny_run.hpp"
#include "train/data_parallel.hpp"
#include "train/parameter_rules.hpp"
#include "train/single_device.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

using train::ParameterRule;
using train::TrainConfig;
using train::Trainer;

// timm 1.0's param_groups_layer_decay() gives a ViT of two blocks these with layer_decay 0.5 and weight_decay 0.05.
TEST(ParameterRules, AreTimms) {
  TrainConfig config;
  config.model.depth = 2;
  config.model.head = models::Head::linear;
  config.model.final_norm = true;
  config.layer_decay = 0.5;
  config.weight_decay = 0.05;
  std::map<std::string, ParameterRule> rules;
  for (const nn::ParameterSpec& spec : models::vit_graph(config.model).parameters()) {
    rules[spec.name] = train::parameter_rule(config, spec);
  }
  EXPECT_EQ(rules.at("tokens.class_token"), (ParameterRule{0.125, 0}));
  EXPECT_EQ(rules.at("tokens.positions"), (ParameterRule{0.125, 0}));
  EXPECT_EQ(rules.at("patch_embedding.bias"), (ParameterRule{0.125, 0}));
  EXPECT_EQ(rules.at("patch_embedding.weight"), (ParameterRule{0.125, 0.05}));
  EXPECT_EQ(rules.at("blocks.0.attention_norm.weight"), (ParameterRule{0.25, 0}));
  EXPECT_EQ(rules.at("blocks.0.qkv.weight"), (ParameterRule{0.25, 0.05}));
  EXPECT_EQ(rules.at("blocks.1.mlp_down.weight"), (ParameterRule{0.5, 0.05}));
  EXPECT_EQ(rules.at("final_norm.weight"), (ParameterRule{0.5, 0}));
  EXPECT_EQ(rules.at("head.weight"), (ParameterRule{1, 0.05}));
  EXPECT_EQ(rules.at("head.bias"), (ParameterRule{1, 0}));
}

/// Everything that changes an update.
TrainConfig with_everything() {
  TrainConfig config = tiny_config();
  config.opt = train::Opt::adamw;
  config.weight_decay = 0.1;
  config.clip_grad = 0.5;
  config.layer_decay = 0.8;
  config.freeze = {"tokens.class_token"};
  config.smoothing = 0.1;
  config.model_ema = true;
  config.model_ema_decay = 0.9;
  config.sched = train::Sched::cosine;
  config.warmup_epochs = 1;
  return config;
}

class OptimizedRunTest : public DeviceTest {
 protected:
  std::unique_ptr<Trainer> trained(const TrainConfig& config) {
    auto trainer = std::make_unique<Trainer>(device(), config, tiny_data());
    trainer->run();
    return trainer;
  }
  static void expect_equal(const train::Checkpoint& a, const train::Checkpoint& b) {
    EXPECT_EQ(a.parameters, b.parameters);
    EXPECT_EQ(a.exp_avg, b.exp_avg);
    EXPECT_EQ(a.exp_avg_sq, b.exp_avg_sq);
    EXPECT_EQ(a.average, b.average);
    EXPECT_EQ(a.position, b.position);
  }
  /// A run that is stopped after each report, saved, and restored into a new trainer.
  train::Checkpoint in_pieces(const TrainConfig& config) {
    const TemporaryFolder folder;
    const train::RunFolder run = train::RunFolder::create(folder / "run", false, 0);
    for (;;) {
      Trainer trainer(device(), config, tiny_data());
      if (const auto newest = run.load_newest()) trainer.restore(newest->checkpoint, newest->file);
      std::atomic<bool> stop = false;
      StopAfter observer(1, stop);
      if (trainer.run(&run, observer, stop) == train::Outcome::finished) return trainer.checkpoint();
    }
  }
  // Some of these runs have several threads; their kernels are tested in Oclgrind one by one.
  void SetUp() override {
    if (is_oclgrind(device().info())) GTEST_SKIP() << "Oclgrind's checks know one thread";
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, OptimizedRunTest, all_devices(), device_name);

TEST_P(OptimizedRunTest, AResumedRunEqualsAnUninterruptedOne) {
  for (const train::Opt opt : {train::Opt::adamw, train::Opt::sgd}) {
    TrainConfig config = with_everything();
    config.opt = opt;
    const train::Checkpoint whole = trained(config)->checkpoint();
    EXPECT_FALSE(whole.average.empty());
    expect_equal(in_pieces(config), whole);
  }
}

TEST_P(OptimizedRunTest, RecomputingChangesNothing) {
  TrainConfig config = with_everything();
  config.epochs = 1;
  config.model.depth = 3;
  const train::Checkpoint wanted = trained(config)->checkpoint();
  config.recompute = true;
  expect_equal(trained(config)->checkpoint(), wanted);
}

TEST_P(OptimizedRunTest, WhatIsFrozenStays) {
  TrainConfig config = with_everything();
  config.epochs = 1;
  config.freeze = {"blocks.*.weight", "tokens.*"};
  Trainer trainer(device(), config, tiny_data());
  const nn::NamedTensors before = trainer.checkpoint().parameters;
  trainer.run();
  const train::Checkpoint after = trainer.checkpoint();
  for (const auto& [name, values] : before) {
    const bool frozen = name.starts_with("tokens.") || (name.starts_with("blocks.") && name.ends_with(".weight"));
    EXPECT_EQ(after.parameters.at(name) == values, frozen) << name;
    const std::vector<float>& moment = after.exp_avg_sq.at(name);
    EXPECT_EQ(std::ranges::all_of(moment, [](float v) { return v == 0; }), frozen) << name;
  }
}

TEST_P(OptimizedRunTest, RefusesAPatternThatNamesNothing) {
  TrainConfig config = tiny_config();
  config.freeze = {"blocks.7.*"};
  EXPECT_TRUE(says(error_of<UsageError>([&] { Trainer(device(), config, tiny_data()); }), {"--freeze", "blocks.7.*"}));
  config.freeze = {"*"};
  EXPECT_TRUE(says(error_of<UsageError>([&] { Trainer(device(), config, tiny_data()); }), {"nothing is left"}));
}

// With a decay of 0 the average is the parameters; with a high one it lags behind, and is what is measured.
TEST_P(OptimizedRunTest, TheAverageIsMeasuredAndSaved) {
  TrainConfig config = tiny_config();
  const auto plain = trained(config);
  config.model_ema = true;
  config.model_ema_decay = 0;
  const train::Checkpoint same = trained(config)->checkpoint();
  EXPECT_EQ(same.parameters, plain->checkpoint().parameters);
  for (const auto& [name, values] : same.parameters) {
    for (size_t i = 0; i < values.size(); ++i) EXPECT_FLOAT_EQ(same.average.at(name)[i], values[i]) << name;
  }
  config.model_ema_decay = 0.99;
  const auto lagging = trained(config);
  const train::Checkpoint state = lagging->checkpoint();
  EXPECT_EQ(state.parameters, same.parameters);
  EXPECT_NE(lagging->evaluate().loss, plain->evaluate().loss);
  lagging->parameters().load(queue(), state.average);
  const double measured = lagging->evaluate().loss;
  Trainer other(device(), tiny_config(), tiny_data());
  other.parameters().load(queue(), state.average);
  EXPECT_EQ(other.evaluate().loss, measured);
}

/// A first step's gradient, by name.
nn::NamedTensors first_gradient(train::DataParallel& engine) {
  engine.begin_epoch(0, 0, std::vector(engine.cut().steps, 0.01));
  engine.step();
  return engine.gradients();
}

TEST_P(OptimizedRunTest, AccumulatedGradientsAreTheLargeBatchs) {
  TrainConfig config = tiny_config();
  drop_something(config);
  config.batch_size = 18;
  config.mix.mixup = 1;
  config.class_weights = "balanced";
  train::SingleDevice large(device(), config, tiny_data());
  large.begin_epoch(0, 0, std::vector(large.cut().steps, 0.01));
  large.step();
  const nn::NamedTensors wanted = large.parameters().save(queue(), large.parameters().gradients());
  config.batch_size = 6;
  config.grad_accum_steps = 3;
  train::DataParallel accumulated({&device()}, config, tiny_data(), std::make_unique<train::MeasuredShares>());
  EXPECT_EQ(accumulated.cut().full, 18U);
  double error = 0, norm = 0;
  for (const auto& [name, values] : first_gradient(accumulated)) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double want = wanted.at(name)[i];
      error = std::hypot(error, static_cast<double>(values[i]) - want);
      norm = std::hypot(norm, want);
    }
  }
  EXPECT_LE(error, 1e-6 * norm);
  EXPECT_GT(accumulated.plan().batch(), 3U) << "shards are computed together where a batch has room";
  EXPECT_LE(accumulated.plan().batch(), 6U);
}

TEST_P(OptimizedRunTest, SeveralDevicesGiveTheBitsOfOneThatAccumulates) {
  Device second(GetParam().info);
  TrainConfig config = with_everything();
  config.batch_size = 3;
  config.grad_accum_steps = 3;
  Trainer both({&device(), &second}, config, tiny_data());
  both.run();
  const train::Checkpoint one = trained(config)->checkpoint();
  expect_equal(both.checkpoint(), one);
  expect_equal(in_pieces(config), one);
}

TEST_P(OptimizedRunTest, StopsEarlyAndReducesOnAPlateau) {
  TrainConfig config = tiny_config();
  config.epochs = 9;
  config.lr = 1e-12;  // nothing is learned: the first accuracy stays the best
  config.sched = train::Sched::plateau;
  config.patience_epochs = 0;
  config.early_stopping = 3;
  const auto trainer = trained(config);
  EXPECT_TRUE(trainer->finished());
  EXPECT_EQ(trainer->position().epochs, 4U);
  EXPECT_EQ(trainer->position().best_epoch, 1U);
  EXPECT_EQ(trainer->position().reductions, 3U);
  EXPECT_EQ(trainer->position().reduced_epoch, 4U);
  expect_equal(in_pieces(config), trainer->checkpoint());
}

}  // namespace
}  // namespace vitcl::test
