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

}  // namespace
}  // namespace vitcl::test
