#include "vitcl/train/trainer.hpp"

#include <fstream>
#include <limits>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "tiny_run.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using train::Outcome;
using train::RunFolder;
using train::TrainConfig;
using train::Trainer;

class TrainerTest : public DeviceTest {
 protected:
  /// A whole run in a new folder, interrupted and restored after each of `stops` reports.
  void run(const TrainConfig& config, const fs::path& path, const std::vector<size_t>& stops = {}) {
    const RunFolder folder = RunFolder::create(path, false, 0);
    for (const size_t reports : stops) {
      std::atomic<bool> stop = false;
      StopAfter observer(reports, stop);
      EXPECT_EQ(continued(config, folder)->run(&folder, observer, stop), Outcome::interrupted);
    }
    train::TrainObserver observer;
    const std::atomic<bool> never = false;
    EXPECT_EQ(continued(config, folder)->run(&folder, observer, never), Outcome::finished);
  }

  std::unique_ptr<Trainer> continued(const TrainConfig& config, const RunFolder& folder) {
    auto trainer = std::make_unique<Trainer>(device(), config, tiny_data());
    if (const auto newest = folder.load_newest()) trainer->restore(newest->checkpoint, newest->file);
    return trainer;
  }

  /// Every file of both runs but the two that hold times.
  static void expect_equal_runs(const fs::path& a, const fs::path& b) {
    size_t compared = 0;
    for (const auto& entry : fs::directory_iterator(a)) {
      const fs::path name = entry.path().filename();
      if (name == "metrics.jsonl" || name == "environment.json") continue;
      EXPECT_EQ(read_file(a / name), read_file(b / name)) << name;
      ++compared;
    }
    EXPECT_GE(compared, 4U);
    EXPECT_EQ(step_lines(a), step_lines(b));
  }

  static std::vector<std::string> step_lines(const fs::path& run) {
    std::vector<std::string> lines;
    std::ifstream file(run / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      if (line.find("\"step\"") != std::string::npos) lines.push_back(line);
    }
    return lines;
  }
};

TEST_P(TrainerTest, TwoRunsAreEqualToTheBit) {
  const TemporaryFolder folder;
  run(tiny_config(), folder / "a");
  run(tiny_config(), folder / "b");
  expect_equal_runs(folder / "a", folder / "b");
  EXPECT_EQ(step_lines(folder / "a").size(), 6U);
}

TEST_P(TrainerTest, AResumedRunEqualsAnUninterruptedOne) {
  const TemporaryFolder folder;
  TrainConfig config = tiny_config();
  config.mask_ratio = 0.25;
  config.smoothing = 0.1;
  config.augmentation = {.hflip = 0.5F, .degrees = 20, .color_jitter = 0.3F, .reprob = 0.5F};
  config.mix = {.mixup = 0.4, .cutmix = 1, .prob = 0.8};
  config.class_weights = "balanced";
  drop_something(config);
  config.checkpoint_every = 2;
  run(config, folder / "a");
  run(config, folder / "b", {1, 1, 2});
  for (const size_t step : {0U, 2U, 4U, 6U}) {
    EXPECT_EQ(read_file(RunFolder::open(folder / "a").checkpoint(step)),
              read_file(RunFolder::open(folder / "b").checkpoint(step)))
        << step;
  }
  EXPECT_EQ(read_file(folder / "a/checkpoint-last.safetensors"), read_file(folder / "b/checkpoint-last.safetensors"));
  EXPECT_EQ(read_file(folder / "a/checkpoint-best.safetensors"), read_file(folder / "b/checkpoint-best.safetensors"));
  EXPECT_EQ(step_lines(folder / "a"), step_lines(folder / "b"));
}

TEST_P(TrainerTest, ComputingActivationsASecondTimeChangesOnlyTheMemory) {
  const TemporaryFolder folder;
  TrainConfig config = tiny_config();
  config.model.depth = 3;
  config.mask_ratio = 0.25;
  run(config, folder / "a");
  const size_t bytes = Trainer(device(), config, tiny_data()).plan().planned_bytes();
  config.recompute = true;
  run(config, folder / "b", {2});
  EXPECT_LT(Trainer(device(), config, tiny_data()).plan().planned_bytes(), bytes);
  EXPECT_EQ(read_file(folder / "a/checkpoint-last.safetensors"), read_file(folder / "b/checkpoint-last.safetensors"));
  EXPECT_EQ(step_lines(folder / "a"), step_lines(folder / "b"));
}

TEST_P(TrainerTest, AugmentationChangesTrainingAndNotEvaluation) {
  TrainConfig config = tiny_config();
  Trainer plain(device(), config, tiny_data());
  config.augmentation.degrees = 90;
  Trainer augmented(device(), config, tiny_data());
  EXPECT_EQ(plain.evaluate().loss, augmented.evaluate().loss);
  plain.run();
  augmented.run();
  EXPECT_NE(plain.checkpoint().parameters, augmented.checkpoint().parameters);
}

TEST_P(TrainerTest, DropoutChangesTrainingAndNotEvaluation) {
  TrainConfig config = tiny_config();
  Trainer plain(device(), config, tiny_data());
  config.drop.head = 0.5F;
  Trainer dropping(device(), config, tiny_data());
  EXPECT_EQ(plain.evaluate().loss, dropping.evaluate().loss);
  plain.run();
  dropping.run();
  EXPECT_NE(plain.checkpoint().parameters, dropping.checkpoint().parameters);
}

TEST_P(TrainerTest, AnotherSeedGivesAnotherRun) {
  const TemporaryFolder folder;
  TrainConfig config = tiny_config();
  config.epochs = 1;
  run(config, folder / "a");
  config.seed = 1;
  run(config, folder / "b");
  EXPECT_NE(step_lines(folder / "a"), step_lines(folder / "b"));
}

TEST_P(TrainerTest, LearnsAndKeepsItsMemory) {
  if (is_oclgrind(device().info())) GTEST_SKIP() << "hundreds of steps take minutes in an interpreter";
  TrainConfig config = tiny_config();
  config.epochs = 30;
  Trainer trainer(device(), config, tiny_data());
  const size_t bytes = device().allocated_bytes();
  const double before = trainer.evaluate().loss;
  trainer.run();
  const train::Evaluation after = trainer.evaluate();
  EXPECT_LT(after.loss, before / 2);
  EXPECT_GT(after.accuracy, 0.8);
  EXPECT_EQ(after.samples, 7U);
  EXPECT_EQ(device().allocated_bytes(), bytes);
}

TEST_P(TrainerTest, LeavesNoOpenClObjectBehind) {
  const size_t before = live_opencl_objects();
  {
    Device own(GetParam().info);
    TrainConfig config = tiny_config();
    config.epochs = 1;
    Trainer(own, config, tiny_data()).run();
    EXPECT_GT(live_opencl_objects(), before);
  }
  EXPECT_EQ(live_opencl_objects(), before);
}

TEST_P(TrainerTest, AFixedMaskHidesPatches) {
  TrainConfig config = tiny_config();
  config.epochs = 1;
  config.patch_mask = "0000";  // nothing to see: every image looks the same
  Trainer trainer(device(), config, tiny_data());
  trainer.run();
  const double hits = trainer.evaluate().accuracy * 7;
  std::vector<double> counts(3);
  for (const int32_t label : tiny_data().test.labels) ++counts[static_cast<size_t>(label)];
  EXPECT_TRUE(std::any_of(counts.begin(), counts.end(), [&](double count) { return std::abs(count - hits) < 1e-6; }));
}

TEST_P(TrainerTest, StopsAtANaNAndKeepsTheLastGoodState) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder / "run", false, 0);
  Trainer trainer(device(), tiny_config(), tiny_data());
  nn::NamedTensors parameters = trainer.checkpoint().parameters;
  parameters.at("head_down.weight")[0] = std::numeric_limits<float>::quiet_NaN();
  train::TrainObserver observer;
  /// Breaks the model behind the first report.
  class Breaker final : public train::TrainObserver {
   public:
    Breaker(Trainer& trainer, Queue& queue, nn::NamedTensors parameters)
        : trainer_(trainer), queue_(queue), parameters_(std::move(parameters)) {}
    void on_progress(const train::Progress&) override { trainer_.parameters().load(queue_, parameters_); }

   private:
    Trainer& trainer_;
    Queue& queue_;
    nn::NamedTensors parameters_;
  } breaker(trainer, queue(), parameters);
  const std::atomic<bool> never = false;
  EXPECT_TRUE(says(error_of<NumericsError>([&] { trainer.run(&run, breaker, never); }),
                   {"loss", "step 2", "epoch 1", "not finite", "gradient of", "checkpoint-last", "--lr"}));
  EXPECT_EQ(train::load_checkpoint(run.last_checkpoint()).position.step, 0U);
}

TEST_P(TrainerTest, RefusesACheckpointOfAnotherRun) {
  Trainer trainer(device(), tiny_config(), tiny_data());
  const train::Checkpoint checkpoint = trainer.checkpoint();
  TrainConfig other = tiny_config();
  other.seed = 5;
  EXPECT_TRUE(says(error_of<StorageError>([&] { Trainer(device(), other, tiny_data()).restore(checkpoint, "c"); }),
                   {"c", "seed", "0", "5"}));
  other = tiny_config();
  other.model.depth = 2;
  EXPECT_TRUE(says(error_of<StorageError>([&] { Trainer(device(), other, tiny_data()).restore(checkpoint, "c"); }),
                   {"c", "another model", "depth"}));
  data::Dataset data = tiny_data();
  data.train.pixels[0] ^= 1;
  data::Dataset original = tiny_data();
  data.mean = original.mean, data.deviation = original.deviation;
  EXPECT_TRUE(says(error_of<DataError>([&] { Trainer(device(), tiny_config(), data).restore(checkpoint, "c"); }),
                   {"fingerprint", "quarters"}));
}

TEST_P(TrainerTest, RefusesDataThatDoesNotFit) {
  const auto refusal = [&](auto&& change) {
    TrainConfig config = tiny_config();
    change(config.model);
    return error_of<DataError>([&] { Trainer(device(), config, tiny_data()); });
  };
  EXPECT_TRUE(says(refusal([](auto& model) { model.image_size = 12; }), {"8 x 8", "12 x 12", "--image-size 8"}));
  EXPECT_TRUE(says(refusal([](auto& model) { model.channels = 3; }), {"1 channel", "--channels 1"}));
  EXPECT_TRUE(says(refusal([](auto& model) { model.classes = 2; }), {"3 classes", "--classes 3"}));
}

TEST_P(TrainerTest, SaysWhichBatchWouldFit) {
  TrainConfig config = tiny_config();
  data::Dataset data = tiny_data();
  config.model = {.image_size = 8, .patch_size = 1, .classes = 3, .dim = 1024, .depth = 1, .heads = 2, .mlp_dim = 8};
  data.train = tiny_split(20000, 1);
  config.batch_size = 20000;
  if (device().caps().max_allocation > size_t{40} << 30) GTEST_SKIP() << "this device has memory for anything";
  EXPECT_TRUE(says(error_of<DeviceError>([&] { Trainer(device(), config, data); }), {"batch"}));
}

INSTANTIATE_TEST_SUITE_P(Devices, TrainerTest, all_devices(), device_name);

}  // namespace
}  // namespace vitcl::test
