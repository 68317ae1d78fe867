#include "vitcl/backend/tuning_store.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;

class TuningStoreTest : public ::testing::Test {
 protected:
  static DeviceInfo device(const std::string& name, const std::string& driver = "1.0", unsigned units = 4) {
    DeviceInfo info;
    info.name = name;
    info.driver_version = driver;
    info.caps.compute_units = units;
    return info;
  }
  static TuningRecord record(const std::string& shape, const std::string& implementation = "tile_6x16") {
    return {.key = {"gemm", shape},
            .implementation = implementation,
            .microseconds = 12.5,
            .gflops = 100,
            .date = "2025-01-31T23:59:59Z"};
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::ifstream file(store.file());
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
  void write(const std::vector<std::string>& lines) const {
    std::ofstream file(store.file());
    for (const std::string& line : lines) file << line << "\n";
  }
  /// The only line of the file with another value under `key`.
  static std::string changed(const std::string& line, const std::string& key, const nlohmann::json& value) {
    auto json = nlohmann::json::parse(line);
    json[key] = value;
    return json.dump();
  }

  TemporaryFolder folder;
  TuningStore store{folder / "cache/tuning.jsonl"};
  DeviceInfo mine = device("mine");
};

TEST_F(TuningStoreTest, GivesBackWhatWasSaved) {
  EXPECT_TRUE(store.load(mine).records.empty());
  EXPECT_EQ(store.load(mine).ignored, "");
  store.save(mine, {record("a"), record("b", "clblast")});
  const auto loaded = store.load(mine);
  EXPECT_EQ(loaded.records, (std::vector{record("a"), record("b", "clblast")}));
  EXPECT_EQ(loaded.names(), (ImplementationNames{{{"gemm", "a"}, "tile_6x16"}, {{"gemm", "b"}, "clblast"}}));
  EXPECT_EQ(loaded.ignored, "");
}

TEST_F(TuningStoreTest, ANewRecordTakesTheOldOnesPlace) {
  store.save(mine, {record("a"), record("b")});
  store.save(mine, {record("a", "clblast")});
  EXPECT_EQ(lines().size(), 2U);
  EXPECT_EQ(store.load(mine).names().at({"gemm", "a"}), "clblast");
}

TEST_F(TuningStoreTest, TrainingsSpeedStandsApart) {
  TuningRecord training = record("article_100", "");
  training.key.op = training_op;
  store.save(mine, {record("a"), training});
  EXPECT_EQ(store.load(mine).records, std::vector{record("a")});
  EXPECT_EQ(store.load(mine).training, training);
  EXPECT_EQ(store.load(device("other")).training, std::nullopt);
  training.gflops = 200;
  store.save(mine, {training});
  EXPECT_EQ(store.load(mine).training->gflops, 200);
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(TuningStoreTest, DatesWhatHasNoDate) {
  TuningRecord undated = record("a");
  undated.date.clear();
  store.save(mine, {undated});
  EXPECT_EQ(store.load(mine).records.at(0).date.size(), std::string_view("2025-01-31T23:59:59Z").size());
}

TEST_F(TuningStoreTest, OtherDevicesAreIgnoredButKept) {
  const std::vector<DeviceInfo> others = {device("other"), device("mine", "1.1"), device("mine", "1.0", 5)};
  for (const DeviceInfo& other : others) store.save(other, {record("a", "clblast")});
  EXPECT_TRUE(store.load(mine).records.empty());
  EXPECT_EQ(store.load(mine).ignored, "3 records of other devices or drivers");
  store.save(mine, {record("a")});
  for (const DeviceInfo& other : others) EXPECT_EQ(store.load(other).names().at({"gemm", "a"}), "clblast");
}

TEST_F(TuningStoreTest, TellsOfSeveralDevicesInTheirOrder) {
  const DeviceInfo other = device("other");
  store.save(mine, {record("a")});
  store.save(other, {record("a", "clblast"), record("b")});
  const auto loaded = store.load(std::vector{other, mine});
  ASSERT_EQ(loaded.size(), 2U);
  EXPECT_EQ(loaded[0].records.size(), 2U);
  EXPECT_EQ(loaded[0].ignored, "1 record of other devices or drivers");
  EXPECT_EQ(loaded[1].records, std::vector{record("a")});
}

TEST_F(TuningStoreTest, OtherVersionsAreIgnored) {
  store.save(mine, {record("a")});
  const std::string line = lines().at(0);
  write({changed(line, "vitcl", "0.0.1"), changed(line, "kernels", "0123456789abcdef")});
  EXPECT_TRUE(store.load(mine).records.empty());
  EXPECT_EQ(store.load(mine).ignored, "2 records of another version of vitcl or its kernels");
  store.save(mine, {record("a")});
  EXPECT_EQ(lines().size(), 2U) << "that of the same version, measured with other kernels, is replaced";
}

TEST_F(TuningStoreTest, KernelsFromAFolderAreAnotherVersion) {
  store.save(mine, {record("a")});
  fs::copy(fs::path(VITCL_SOURCE_DIR) / "cl", folder / "cl", fs::copy_options::recursive);
  ASSERT_EQ(setenv("VITCL_KERNEL_DIR", (folder / "cl").c_str(), 1), 0);
  EXPECT_EQ(store.load(mine).records.size(), 1U) << "the same kernels";
  std::ofstream(folder / "cl/add.cl", std::ios::app) << "// another line\n";
  EXPECT_EQ(store.load(mine).records.size(), 0U);
  fs::remove(folder / "cl/add.cl");
  EXPECT_EQ(store.load(mine).records.size(), 0U);
  unsetenv("VITCL_KERNEL_DIR");
}

TEST_F(TuningStoreTest, CorruptLinesAreIgnoredAndLeave) {
  store.save(mine, {record("a")});
  const std::string good = lines().at(0);
  const std::vector<std::string> corrupt = {"",
                                            "{}",
                                            "[1, 2]",
                                            "null",
                                            "gibberish",
                                            good.substr(0, good.size() / 2),
                                            good + good,
                                            changed(good, "op", 7),
                                            changed(good, "microseconds", "many"),
                                            changed(good, "vitcl", nullptr),
                                            std::string("\0\xff\xfe\n\x80", 5)};
  for (const std::string& line : corrupt) {
    write({line, good});
    const auto loaded = store.load(mine);
    EXPECT_EQ(loaded.records, std::vector{record("a")}) << line;
    EXPECT_TRUE(says(loaded.ignored, {"corrupt"})) << line;
    store.save(mine, {record("b")});
    EXPECT_EQ(lines().size(), 2U) << line;
  }
  write(corrupt);
  EXPECT_TRUE(store.load(mine).records.empty());
  EXPECT_EQ(store.load(mine).ignored, "12 corrupt lines") << "one holds a line feed";
}

TEST_F(TuningStoreTest, WhatIsNoFileIsIgnored) {
  fs::create_directories(store.file());
  EXPECT_TRUE(store.load(mine).records.empty());
  EXPECT_TRUE(says(store.load(mine).ignored, {"can't be read"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { store.save(mine, {record("a")}); }), {store.file().string()}));
  EXPECT_EQ(fs::is_directory(store.file()), true);
}

TEST_F(TuningStoreTest, SaysWhereItCannotWrite) {
  write_file(folder / "file", {});
  const TuningStore impossible(folder / "file/tuning.jsonl");
  EXPECT_TRUE(says(error_of<StorageError>([&] { impossible.save(mine, {record("a")}); }), {"VITCL_CACHE_DIR"}));
  EXPECT_TRUE(impossible.load(mine).records.empty());
}

TEST_F(TuningStoreTest, LiesInTheCacheFolder) {
  ASSERT_EQ(setenv("VITCL_CACHE_DIR", "/some/where", 1), 0);
  EXPECT_EQ(TuningStore().file(), "/some/where/tuning.jsonl");
  unsetenv("VITCL_CACHE_DIR");
}

// Threads of several processes, each with shapes of its own: nothing is lost, and no temporary file stays.
TEST_F(TuningStoreTest, WritersDoNotLoseEachOthersRecords) {
  constexpr size_t processes = 3, threads = 2, saves = 10;
  const auto write_all = [&](size_t process) {
    std::vector<std::thread> writers;
    for (size_t thread = 0; thread < threads; ++thread) {
      writers.emplace_back([&, thread] {
        for (size_t i = 0; i < saves; ++i) {
          const std::string shape = std::to_string(process) + "_" + std::to_string(thread) + "_" + std::to_string(i);
          store.save(thread == 0 ? mine : device("other"), {record(shape)});
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
  };
  std::vector<pid_t> children;
  for (size_t process = 1; process < processes; ++process) {
    children.push_back(fork());
    if (children.back() == 0) {
      write_all(process);
      _exit(0);
    }
  }
  write_all(0);
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(store.load(mine).records.size(), processes * saves);
  EXPECT_EQ(store.load(device("other")).records.size(), processes * saves);
  EXPECT_EQ(store.load(mine).ignored, std::to_string(processes * saves) + " records of other devices or drivers");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "cache"), fs::directory_iterator()), 2)
      << "the file and its lock";
}

}  // namespace
}  // namespace vitcl::test
