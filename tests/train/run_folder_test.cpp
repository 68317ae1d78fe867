#include "vitcl/train/run_folder.hpp"

#include <limits>

#include "example_checkpoint.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/safetensors.hpp"
#include "vitcl/train/metrics.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using train::RunFolder;

void touch(const fs::path& path) { write_file(path, {}); }

TEST(RunFolder, IsMadeWithItsParents) {
  const TemporaryFolder folder;
  RunFolder::create(folder / "a/b/c", false, 0);
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
}

TEST(RunFolder, MayBeEmptyButNothingElse) {
  const TemporaryFolder folder;
  RunFolder::create(folder.path(), false, 0);
  touch(folder / "notes.txt");
  EXPECT_TRUE(says(error_of<StorageError>([&] { RunFolder::create(folder.path(), false, 0); }),
                   {folder.path().string(), "not empty", "--overwrite"}));
}

TEST(RunFolder, OverwritingTakesTheOldRunAndNothingElse) {
  const TemporaryFolder folder;
  for (const char* name : {"config.toml", "environment.json", "metrics.jsonl", "checkpoint-last.safetensors",
                           "checkpoint-00000600.safetensors", "notes.txt", "checkpoint-notes.txt"}) {
    touch(folder / name);
  }
  const RunFolder run = RunFolder::create(folder.path(), true, 0);
  EXPECT_FALSE(fs::exists(run.last_checkpoint()));
  EXPECT_FALSE(fs::exists(run.checkpoint(600)));
  EXPECT_FALSE(fs::exists(run.config_file()));
  EXPECT_TRUE(fs::exists(folder / "notes.txt"));
  EXPECT_TRUE(fs::exists(folder / "checkpoint-notes.txt"));
}

TEST(RunFolder, IsNotTakenFromARunInProgress) {
  const TemporaryFolder folder;
  const train::MetricsLog log(folder / "metrics.jsonl", 0, 0);
  EXPECT_TRUE(says(error_of<StorageError>([&] { RunFolder::create(folder.path(), true, 0); }), {"another process"}));
}

TEST(RunFolder, IsRefusedWhereItCannotBe) {
  const TemporaryFolder folder;
  touch(folder / "file");
  EXPECT_TRUE(says(error_of<StorageError>([&] { RunFolder::create(folder / "file/run", false, 0); }), {"file"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { RunFolder::create(folder / "file", false, 0); }), {"not a folder"}));
  EXPECT_NE(error_of<StorageError>([] { RunFolder::create("/proc/run", false, 0); }), "no error");
}

TEST(RunFolder, NeedsRoomForItsCheckpoints) {
  const TemporaryFolder folder;
  EXPECT_TRUE(says(
      error_of<StorageError>([&] { RunFolder::create(folder / "run", false, std::numeric_limits<size_t>::max() / 2); }),
      {"free", "--checkpoint-every"}));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(RunFolder, NamesCheckpointsByStep) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), false, 0);
  EXPECT_EQ(run.checkpoint(600).filename(), "checkpoint-00000600.safetensors");
  EXPECT_TRUE(run.checkpoints().empty());
  for (const size_t step : {600, 100000000, 0}) touch(run.checkpoint(step));
  touch(run.best_checkpoint());
  std::vector<fs::path> wanted = {run.checkpoint(100000000), run.checkpoint(600), run.checkpoint(0),
                                  run.best_checkpoint()};
  EXPECT_EQ(run.checkpoints(), wanted);
  touch(run.last_checkpoint());
  wanted.insert(wanted.begin(), run.last_checkpoint());
  EXPECT_EQ(run.checkpoints(), wanted);
}

/// A folder with checkpoints of the steps 0, 6 and 12, the last of which is the best.
class SavedRun : public ::testing::Test {
 protected:
  void save(size_t step, RunFolder::Names names, size_t history = 0) {
    train::Checkpoint checkpoint = example_checkpoint();
    checkpoint.position.step = step;
    run_.save(checkpoint, names, history);
  }
  void SetUp() override {
    save(0, {.step = true});
    save(6, {.step = true});
    save(12, {.step = true, .best = true});
    run_.write_config({});
  }
  static void truncate(const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); }
  size_t entries() const { return folder_.entries(); }

 private:
  TemporaryFolder folder_;

 protected:
  RunFolder run_ = RunFolder::create(folder_.path(), false, 0);
};

TEST_F(SavedRun, GoesOnFromTheLast) {
  const auto found = run_.load_newest();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file, run_.last_checkpoint());
  EXPECT_EQ(found->checkpoint.position.step, 12U);
  EXPECT_TRUE(found->set_aside.empty());
}

TEST_F(SavedRun, SetsDamagedCheckpointsAsideAndUsesTheOneBefore) {
  truncate(run_.last_checkpoint());
  truncate(run_.checkpoint(12));
  const std::vector<uint8_t> damaged = read_file(run_.checkpoint(12));
  const size_t files = entries();
  const auto found = run_.load_newest();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file, run_.checkpoint(6));
  EXPECT_EQ(found->checkpoint.position.step, 6U);
  ASSERT_EQ(found->set_aside.size(), 2U);
  EXPECT_TRUE(says(found->set_aside[1], {"checkpoint-00000012.safetensors", "truncated", ".safetensors.damaged",
                                         "goes on from checkpoint-00000006.safetensors", "step 6"}));
  EXPECT_EQ(entries(), files) << "nothing is deleted";
  EXPECT_EQ(read_file(run_.checkpoint(12).string() + ".damaged"), damaged);

  save(12, {.step = true});
  truncate(run_.last_checkpoint());
  ASSERT_TRUE(run_.load_newest());
  EXPECT_TRUE(fs::exists(run_.last_checkpoint().string() + ".damaged-2"));
}

TEST_F(SavedRun, WithoutAWholeCheckpointIsLeftAsItIs) {
  for (const fs::path& file : run_.checkpoints()) truncate(file);
  const std::vector<fs::path> files = run_.checkpoints();
  EXPECT_TRUE(says(error_of<StorageError>([&] { run_.load_newest(); }),
                   {"no checkpoint", "checkpoint-last.safetensors", "truncated", "--config"}));
  EXPECT_EQ(run_.checkpoints(), files);
}

TEST_F(SavedRun, OfAnotherVersionIsNotTakenForDamaged) {
  io::SafeTensors file = io::read_safetensors(run_.last_checkpoint());
  file.metadata.erase("checksums");
  file.metadata["model"].insert(1, "\"registers\":4,");
  io::write_safetensors(run_.last_checkpoint(), file);
  EXPECT_TRUE(says(error_of<StorageError>([&] { run_.load_newest(); }), {"checkpoint-last", "version"}));
  EXPECT_TRUE(fs::exists(run_.last_checkpoint()));
}

TEST_F(SavedRun, KeepsTheNewestCheckpoints) {
  for (const size_t step : {18, 24}) save(step, {.step = true, .best = step == 18}, 2);
  EXPECT_EQ(run_.checkpoints(), (std::vector<fs::path>{run_.last_checkpoint(), run_.checkpoint(24), run_.checkpoint(18),
                                                       run_.best_checkpoint()}));
  EXPECT_EQ(train::load_checkpoint(run_.best_checkpoint()).position.step, 18U);
}

TEST(RunFolder, KeepsItsConfiguration) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), false, 0);
  EXPECT_TRUE(says(error_of<StorageError>([&] { RunFolder::open(folder.path()); }), {"config.toml"}));
  train::TrainConfig config;
  config.epochs = 7;
  run.write_config(config);
  EXPECT_EQ(RunFolder::open(folder.path()).read_config(), config);
}

TEST(RunFolder, KeepsTheImplementations) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), false, 0);
  DeviceInfo device, other, third;
  third.name = "third";
  device.name = "one";
  other.name = "other";
  const ImplementationNames names = {
      {{"gemm", "nt_1x2x3"}, "tile_6x16"}, {{"gemm", "nn_1x2x3"}, "clblast"}, {{"gelu", "6"}, "chunks"}};
  EXPECT_EQ(run.read_implementations(device), std::nullopt) << "a run that has not begun";
  run.write_environment({{third, {}}, {device, names}});
  EXPECT_EQ(run.read_implementations(device), names);
  EXPECT_EQ(run.read_implementations(other), std::nullopt);
}

TEST(RunFolder, SaysThatTheEnvironmentIsDamaged) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), false, 0);
  const DeviceInfo device;
  for (const char* text : {"", "{", "[]", R"({"devices": [{}]})",
                           R"({"devices": [{"name": "", "platform": "", "implementations": {"gemm": {"a": 1}}}]})"}) {
    std::ofstream(run.environment_file()) << text;
    EXPECT_TRUE(says(error_of<StorageError>([&] { run.read_implementations(device); }), {"environment.json"})) << text;
  }
  std::ofstream(run.environment_file()) << R"({"devices": [{"name": "", "platform": ""}]})";
  EXPECT_EQ(run.read_implementations(device), ImplementationNames()) << "written before there were any";
}

TEST(RunFolder, ReadsTheEnvironmentOfOneDevice) {
  const TemporaryFolder folder;
  const RunFolder run = RunFolder::create(folder.path(), false, 0);
  DeviceInfo device, other;
  other.name = "other";
  std::ofstream(run.environment_file())
      << R"({"device": {"name": "", "platform": ""}, "implementations": {"gelu": {"6": "chunks"}}})";
  EXPECT_EQ(run.read_implementations(device), (ImplementationNames{{{"gelu", "6"}, "chunks"}}));
  EXPECT_EQ(run.read_implementations(other), std::nullopt);
  std::ofstream(run.environment_file()) << R"({"device": {"name": "", "platform": ""}})";
  EXPECT_EQ(run.read_implementations(device), ImplementationNames());
}

}  // namespace
}  // namespace vitcl::test
