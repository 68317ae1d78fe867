// One run on several devices: which of them computes what must not matter.
#include "train/data_parallel.hpp"

#include <numeric>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "tiny_run.hpp"
#include "train/single_device.hpp"

namespace vitcl::test {
namespace {

using train::Checkpoint;
using train::DataParallel;
using train::TrainConfig;
using train::Trainer;
using Shares = std::vector<size_t>;

/// Another assignment each step.
class GivenShares final : public train::SharePolicy {
 public:
  explicit GivenShares(std::vector<Shares> cycle) : cycle_(std::move(cycle)) {}
  void begin(size_t, const std::vector<double>& seconds) override {
    for (const double second : seconds) EXPECT_GT(second, 0);
  }
  const Shares& shares() const override { return cycle_[step_ % cycle_.size()]; }
  bool settled() const override { return true; }
  bool wants_times() const override { return false; }
  void took(const std::optional<train::StepTimes>&) override { ++step_; }
  void drop(size_t) override { ADD_FAILURE() << "a device was lost"; }

 private:
  std::vector<Shares> cycle_;
  size_t step_ = 0;
};

/// The tiny run's configuration as the engines take it.
TrainConfig engine_config() {
  TrainConfig config = tiny_config();
  config.mask_ratio = 0.25;
  config.smoothing = 0.1;
  drop_something(config);
  config.augmentation = {.hflip = 0.5F, .degrees = 20, .color_jitter = 0.3F, .reprob = 0.5F};
  config.mix = {.mixup = 0.4, .cutmix = 1, .prob = 0.8};
  config.class_weights = "1,2.5,0.5";
  config.model.pad_value = train::black_pixel({tiny_data().mean, tiny_data().deviation});
  return config;
}

/// What two epochs leave: the losses of all steps, the last gradients, parameters and moments.
struct Result {
  std::vector<float> losses;
  nn::NamedTensors gradients;
  Checkpoint state;

  void expect_bits_of(const Result& other) const {
    EXPECT_EQ(losses, other.losses);
    EXPECT_EQ(gradients, other.gradients);
    EXPECT_EQ(state.parameters, other.state.parameters);
    EXPECT_EQ(state.exp_avg, other.state.exp_avg);
    EXPECT_EQ(state.exp_avg_sq, other.state.exp_avg_sq);
  }
};

std::vector<double> rates(const train::Engine& engine) { return std::vector(engine.cut().steps, tiny_config().lr); }

void run_epochs(train::Engine& engine, Result& result) {
  for (size_t epoch = 0; epoch < 2; ++epoch) {
    engine.begin_epoch(epoch, 0, rates(engine));
    for (size_t step = 0; step < engine.cut().steps; ++step) engine.step();
    const std::vector<float> losses = engine.losses(0, engine.cut().steps);
    result.losses.insert(result.losses.end(), losses.begin(), losses.end());
  }
  engine.save(result.state);
}

Result run_parallel(const std::vector<Device*>& devices, const TrainConfig& config, std::vector<Shares> cycle) {
  DataParallel engine(devices, config, tiny_data(), std::make_unique<GivenShares>(std::move(cycle)));
  Result result;
  run_epochs(engine, result);
  result.gradients = engine.gradients();
  return result;
}

double norm(const nn::NamedTensors& tensors, const nn::NamedTensors* minus = nullptr) {
  double sum = 0;
  for (const auto& [name, values] : tensors) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double d = static_cast<double>(values[i]) - (minus ? static_cast<double>(minus->at(name)[i]) : 0.0);
      sum += d * d;
    }
  }
  return std::sqrt(sum);
}

/// The gradient of the first step's loss.
nn::NamedTensors first_gradient(const std::vector<Device*>& devices, const Shares& shares) {
  DataParallel engine(devices, engine_config(), tiny_data(),
                      std::make_unique<GivenShares>(std::vector<Shares>{shares}));
  engine.begin_epoch(0, 0, rates(engine));
  engine.step();
  return engine.gradients();
}

class DataParallelTest : public DeviceTest {
 protected:
  void SetUp() override {
    if (is_oclgrind(GetParam().info)) GTEST_SKIP() << "Oclgrind's checks know one thread";
  }
};

TEST_P(DataParallelTest, WhoComputesWhatDoesNotMatter) {
  Device second(GetParam().info), third(GetParam().info);
  const TrainConfig config = engine_config();
  const Result alone = run_parallel({&device(), &second}, config, {{8, 0}});
  run_parallel({&device(), &second}, config, {{4, 4}}).expect_bits_of(alone);
  run_parallel({&device(), &second}, config, {{3, 5}, {0, 8}, {8, 0}, {7, 1}}).expect_bits_of(alone);
  run_parallel({&device(), &second, &third}, config, {{1, 6, 1}, {5, 0, 3}, {2, 3, 3}}).expect_bits_of(alone);
}

TEST_P(DataParallelTest, EqualsOneDeviceWithinRounding) {
  Device second(GetParam().info);
  const TrainConfig config = engine_config();
  Result one;
  train::SingleDevice engine(device(), config, tiny_data());
  engine.begin_epoch(0, 0, rates(engine));
  engine.step();
  const std::vector<float> wanted = engine.losses(0, 1);
  const nn::NamedTensors gradients = engine.parameters().save(queue(), engine.parameters().gradients());
  DataParallel parallel({&device(), &second}, config, tiny_data(),
                        std::make_unique<GivenShares>(std::vector<Shares>{Shares{3, 5}}));
  parallel.begin_epoch(0, 0, rates(parallel));
  parallel.step();
  EXPECT_NEAR(parallel.losses(0, 1)[0], wanted[0], 1e-6F * wanted[0]);
  const nn::NamedTensors got = parallel.gradients();
  EXPECT_LE(norm(got, &gradients), 1e-6 * norm(gradients));
}

TEST_P(DataParallelTest, TrainerRunsItAndGoesOnWhereItStopped) {
  Device second(GetParam().info);
  const std::vector<Device*> devices = {&device(), &second};
  Trainer whole(devices, tiny_config(), tiny_data());
  whole.run();
  const TemporaryFolder folder;
  const train::RunFolder run = train::RunFolder::create(folder / "run", false, 0);
  std::atomic<bool> stop = false;
  StopAfter observer(2, stop);
  EXPECT_EQ(Trainer(devices, tiny_config(), tiny_data()).run(&run, observer, stop), train::Outcome::interrupted);
  Trainer rest({&second, &device()}, tiny_config(), tiny_data());
  rest.restore(train::load_checkpoint(run.last_checkpoint()), run.last_checkpoint());
  rest.run();
  EXPECT_EQ(rest.checkpoint().parameters, whole.checkpoint().parameters);
  EXPECT_EQ(rest.checkpoint().exp_avg_sq, whole.checkpoint().exp_avg_sq);
  EXPECT_EQ(rest.evaluate().loss, whole.evaluate().loss);
}

TEST_P(DataParallelTest, KeepsTheStateOnTheHost) {
  Device second(GetParam().info);
  DataParallel engine({&device(), &second}, engine_config(), tiny_data(),
                      std::make_unique<GivenShares>(std::vector<Shares>{Shares{4, 4}}));
  engine.begin_epoch(0, 0, rates(engine));
  for (size_t step = 0; step < engine.cut().steps; ++step) engine.step();
  Checkpoint before, kept, after;
  engine.save(before);
  engine.begin_epoch(1, 0, rates(engine));
  engine.step();
  engine.save_kept(kept);
  EXPECT_EQ(kept.parameters, before.parameters);
  EXPECT_EQ(kept.exp_avg, before.exp_avg);
  engine.save(after);
  EXPECT_NE(after.parameters, before.parameters);
}

TEST_P(DataParallelTest, LeavesNoOpenClObjectBehind) {
  const size_t before = live_opencl_objects();
  {
    Device first(GetParam().info), second(GetParam().info);
    run_parallel({&first, &second}, engine_config(), {{3, 5}});
    EXPECT_GT(live_opencl_objects(), before);
  }
  EXPECT_EQ(live_opencl_objects(), before);
}

TEST_P(DataParallelTest, ABatchMayBeSmallerThanTheNumberOfDevices) {
  Device second(GetParam().info), third(GetParam().info);
  TrainConfig config = tiny_config();
  config.batch_size = 2;
  config.epochs = 1;
  Trainer trainer({&device(), &second, &third}, config, tiny_data());
  trainer.run();
  EXPECT_EQ(trainer.position().step, 11U);
}

INSTANTIATE_TEST_SUITE_P(Devices, DataParallelTest, all_devices(), device_name);

TEST(DataParallelMixed, TheSumIsTheSameWithinRounding) {
  const auto& devices = test_devices();
  if (devices.size() < 2) GTEST_SKIP() << "needs two devices";
  Device& first = open_device(devices[0]);
  const nn::NamedTensors wanted = first_gradient({&first, &open_device(devices[1])}, {8, 0});
  for (size_t i = 1; i < devices.size(); ++i) {
    for (const Shares& shares : {Shares{3, 5}, Shares{0, 8}}) {
      const nn::NamedTensors got = first_gradient({&first, &open_device(devices[i])}, shares);
      EXPECT_LE(norm(got, &wanted), 1e-5 * norm(wanted)) << devices[i].slug;
    }
  }
}

TEST(DataParallelMixed, ACheckpointGoesOnAnywhere) {
  const auto& devices = test_devices();
  if (devices.size() < 2) GTEST_SKIP() << "needs two devices";
  Device &first = open_device(devices[0]), &second = open_device(devices[1]);
  TrainConfig config = tiny_config();
  config.epochs = 4;
  Trainer whole(first, config, tiny_data());
  whole.run();
  config.epochs = 1;
  Trainer start(first, config, tiny_data());
  start.run();
  Checkpoint checkpoint = start.checkpoint();
  const std::vector<std::vector<Device*>> others = {{&second}, {&second, &first}, {&first}};
  for (const std::vector<Device*>& next : others) {
    ++config.epochs;
    Trainer trainer(next, config, tiny_data());
    trainer.restore(checkpoint, "checkpoint");
    EXPECT_EQ(trainer.checkpoint().parameters, checkpoint.parameters);
    EXPECT_EQ(trainer.checkpoint().exp_avg_sq, checkpoint.exp_avg_sq);
    trainer.run();
    checkpoint = trainer.checkpoint();
  }
  EXPECT_EQ(checkpoint.position.step, whole.position().step);
  EXPECT_NEAR(checkpoint.position.best_accuracy, whole.position().best_accuracy, 0.5);
  const nn::NamedTensors wanted = whole.checkpoint().parameters;
  EXPECT_LE(norm(checkpoint.parameters, &wanted), 1e-2 * norm(wanted));
}

}  // namespace
}  // namespace vitcl::test
