// Images that don't fit on the device change nothing but the time.
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

/// Gives a split's images one by one; fails at one of them.
class Images final : public data::ImageSource {
 public:
  Images(data::Split split, size_t broken) : split_(std::move(split)), broken_(broken) {}
  void read(size_t index, std::span<uint8_t> pixels) const override {
    if (index == broken_) throw DataError("can't read the image number " + std::to_string(index));
    split_.read(index, pixels);
  }

 private:
  data::Split split_;
  size_t broken_;
};

/// 22 images to train on and 40 to test on, both more than fit.
data::Dataset streamed_data() {
  data::Dataset dataset = tiny_data();
  dataset.test = tiny_split(40, 2);
  return dataset;
}

/// The same where images are made when they are wanted.
data::Dataset decoded_data(size_t broken = 1000) {
  data::Dataset dataset = streamed_data();
  for (data::Split* split : {&dataset.train, &dataset.test}) {
    split->source = std::make_shared<Images>(*split, broken);
    split->pixels.clear();
  }
  return dataset;
}

class StreamingTest : public DeviceTest {
 protected:
  void SetUp() override {
    if (is_oclgrind(device().info())) GTEST_SKIP() << "Oclgrind's checks know one thread";
  }

  /// A run in a new folder, in chunks of a batch where `data_memory` is 0.001 MiB; interrupted and restored after each
  /// of `stops` reports. Returns its last checkpoint's bytes.
  std::vector<uint8_t> run(double data_memory, size_t workers, const data::Dataset& dataset,
                           const std::vector<size_t>& stops = {}) {
    const TemporaryFolder place;
    const RunFolder folder = RunFolder::create(place / "run", false, 0);
    TrainConfig config = tiny_config();
    config.mask_ratio = 0.25;
    config.augmentation.degrees = 20;
    config.mix = {.mixup = 0.4, .cutmix = 1};
    config.data_memory = data_memory;
    config.workers = workers;
    for (size_t i = 0; i <= stops.size(); ++i) {
      std::atomic<bool> stop = false;
      StopAfter observer(i < stops.size() ? stops[i] : 0, stop);
      Trainer trainer(device(), config, dataset);
      if (const auto newest = folder.load_newest()) trainer.restore(newest->checkpoint, newest->file);
      trainer.run(&folder, observer, stop);
    }
    return read_file(folder.last_checkpoint());
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, StreamingTest, all_devices(), device_name);

TEST_P(StreamingTest, GivesTheSameBitsWithAnyNumberOfWorkers) {
  const std::vector<uint8_t> resident = run(0, 1, streamed_data());
  EXPECT_EQ(run(0.001, 1, streamed_data()), resident);
  EXPECT_EQ(run(0.001, 3, streamed_data(), {1, 2}), resident);
}

TEST_P(StreamingTest, MeasuresTheSameOnImagesThatAreDecoded) {
  const data::Dataset kept = streamed_data(), decoded = decoded_data();
  TrainConfig config = tiny_config();
  Trainer whole(device(), config, kept), all_decoded(device(), config, decoded);
  config.data_memory = 0.001;
  config.workers = 2;
  Trainer streamed(device(), config, decoded);
  for (Trainer* trainer : {&whole, &all_decoded, &streamed}) trainer->run();
  EXPECT_EQ(all_decoded.evaluate().loss, whole.evaluate().loss);
  EXPECT_EQ(streamed.evaluate().accuracy, whole.evaluate().accuracy);
  EXPECT_NEAR(streamed.evaluate().loss, whole.evaluate().loss, 1e-5);
}

TEST_P(StreamingTest, ABrokenImageEndsTheRunWithItsName) {
  const data::Dataset dataset = decoded_data(13);
  TrainConfig config = tiny_config();
  config.data_memory = 0.001;
  EXPECT_TRUE(says(error_of<DataError>([&] { Trainer(device(), config, dataset).run(); }), {"image number 13"}));
}

TEST_P(StreamingTest, SaysWhichMemoryABatchNeeds) {
  const data::Dataset dataset = streamed_data();
  TrainConfig config = tiny_config();
  config.data_memory = 0.0005;
  EXPECT_TRUE(
      says(error_of<DeviceError>([&] { Trainer(device(), config, dataset); }), {"--data-memory", "--batch-size"}));
}

}  // namespace
}  // namespace vitcl::test
