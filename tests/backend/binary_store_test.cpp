#include "backend/binary_store.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace vitcl {
namespace {

class BinaryStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("vitcl-store-test-" + std::to_string(getpid()));
    setenv("VITCL_CACHE_DIR", folder_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("VITCL_CACHE_DIR");
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path only_file() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "programs")) files.push_back(entry.path());
    EXPECT_EQ(files.size(), 1U) << "no temporary file may stay";
    return files.at(0);
  }

  std::filesystem::path folder_;
  const std::string key_ = "source and options";
  const std::vector<unsigned char> binary_ = {1, 2, 3, 0, 255};
};

TEST_F(BinaryStoreTest, GivesBackWhatWasSaved) {
  const BinaryStore store;
  EXPECT_FALSE(store.load(key_));
  store.save(key_, binary_);
  EXPECT_EQ(store.load(key_), binary_);
  EXPECT_FALSE(store.load("another key"));
}

TEST_F(BinaryStoreTest, TheFolderIsTheOwnersAlone) {
  BinaryStore().save(key_, binary_);
  const auto mode = std::filesystem::status(folder_ / "programs").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::all, std::filesystem::perms::owner_all);
}

TEST_F(BinaryStoreTest, AnyChangedOrMissingByteCountsAsAbsent) {
  const BinaryStore store;
  store.save(key_, binary_);
  const auto file = only_file();
  std::ifstream stream(file, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(stream), {}};
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    std::ofstream(file, std::ios::binary) << bad;
    EXPECT_FALSE(store.load(key_)) << "byte " << i;
    std::ofstream(file, std::ios::binary) << good.substr(0, i);
    EXPECT_FALSE(store.load(key_)) << "cut at " << i;
  }
  store.save(key_, binary_);
  EXPECT_EQ(store.load(key_), binary_) << "a bad file is replaced";
}

TEST_F(BinaryStoreTest, AFolderThatCannotBeWrittenIsNoError) {
  std::ofstream(folder_.string()) << "a file where the folder should be";
  const BinaryStore store;
  store.save(key_, binary_);
  EXPECT_FALSE(store.load(key_));
}

}  // namespace
}  // namespace vitcl
