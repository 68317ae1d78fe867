// Whole runs with activations in 16 bits.
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/devices.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "tiny_run.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using train::RunFolder;
using train::TrainConfig;
using train::Trainer;

class MixedRunTest : public DeviceTest {
 protected:
  void SetUp() override {
    if (!device().caps().fp16) GTEST_SKIP() << "the device does not have cl_khr_fp16";
  }

  static TrainConfig config(nn::Precision precision) {
    TrainConfig config = tiny_config();
    config.epochs = 8;
    config.precision = precision;
    return config;
  }

  /// The steps' losses of a run in a new folder, which ends early and goes on in a second Trainer where told to.
  std::vector<double> losses(const TrainConfig& config, const fs::path& path, bool in_two = false) {
    const RunFolder folder = RunFolder::create(path, false, 0);
    for (const bool first : {true, false}) {
      if (first && !in_two) continue;
      Trainer trainer(device(), config, tiny_data());
      if (const auto newest = folder.load_newest()) trainer.restore(newest->checkpoint, newest->file);
      std::atomic<bool> stop = false;
      StopAfter stopping(2, stop);
      train::TrainObserver silent;
      trainer.run(&folder, first ? static_cast<train::TrainObserver&>(stopping) : silent, stop);
    }
    std::vector<double> all;
    std::ifstream file(folder.metrics_file());
    for (std::string line; std::getline(file, line);) {
      const auto metrics = nlohmann::json::parse(line);
      if (metrics["type"] == "step") all.push_back(metrics["train_loss"]);
    }
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, MixedRunTest, all_devices(), device_name);

TEST_P(MixedRunTest, FollowsTheLossOfFloat32) {
  const TemporaryFolder folder;
  const auto want = losses(config(nn::Precision::float32), folder / "float32");
  const auto got = losses(config(nn::Precision::mixed), folder / "mixed");
  ASSERT_EQ(want.size(), 24U);
  ASSERT_EQ(got.size(), want.size());
  EXPECT_LT(want.back(), 0.6 * want.front()) << "nothing was learnt";
  // A loss is off by a few roundings of 2^-11; what steps do to the parameters differs by as much of the learning rate.
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 0.02) << "step " << i + 1;
  EXPECT_NE(got, want) << "nothing was kept in 16 bits";
}

TEST_P(MixedRunTest, AResumedRunEqualsAnUninterruptedOne) {
  const TemporaryFolder folder;
  const TrainConfig mixed = config(nn::Precision::mixed);
  EXPECT_EQ(losses(mixed, folder / "a"), losses(mixed, folder / "b", true));
  const auto last = [&](const char* run) { return read_file(RunFolder::open(folder / run).last_checkpoint()); };
  EXPECT_EQ(last("a"), last("b"));
}

TEST_P(MixedRunTest, OverflowIsAnErrorThatNamesTheWayOut) {
  Trainer trainer(device(), config(nn::Precision::mixed), tiny_data());
  nn::NamedTensors parameters = trainer.checkpoint().parameters;
  parameters.at("patch_embedding.bias")[0] = 1e6F;
  trainer.parameters().load(queue(), parameters);
  EXPECT_TRUE(says(error_of<NumericsError>([&] { trainer.run(); }), {"step 1", "65504", "--precision float32"}));
}

}  // namespace
}  // namespace vitcl::test
