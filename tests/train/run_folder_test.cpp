#include "vitcl/train/run_folder.hpp"

#include <limits>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
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
  EXPECT_FALSE(run.newest_checkpoint());
  touch(run.checkpoint(0));
  touch(run.checkpoint(600));
  touch(run.best_checkpoint());
  EXPECT_EQ(run.newest_checkpoint(), run.checkpoint(600));
  touch(run.last_checkpoint());
  EXPECT_EQ(run.newest_checkpoint(), run.last_checkpoint());
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

}  // namespace
}  // namespace vitcl::test
