#include "vitcl/backend/verdict_store.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

class VerdictStoreTest : public ::testing::Test {
 protected:
  static DeviceInfo device(const std::string& name, const std::string& driver) {
    DeviceInfo info;
    info.name = name;
    info.driver_version = driver;
    return info;
  }
  void TearDown() override { unsetenv("VITCL_KERNEL_DIR"); }

  TemporaryFolder folder;
  VerdictStore store{folder / "verdicts.jsonl"};
  DeviceInfo mine = device("mine", "1.0");
};

TEST_F(VerdictStoreTest, TheLastVerdictCounts) {
  EXPECT_FALSE(store.load(mine));
  store.save(mine, {.failure = "gelu: \"y\" is\nwrong \xff"});
  ASSERT_TRUE(store.load(mine));
  EXPECT_FALSE(store.load(mine)->passed());
  store.save(mine, {});
  ASSERT_TRUE(store.load(mine));
  EXPECT_TRUE(store.load(mine)->passed());
  EXPECT_EQ(store.load(mine)->date.size(), std::string("2025-01-31T23:59:59Z").size());
}

TEST_F(VerdictStoreTest, IsOfOneDeviceAndDriver) {
  const DeviceInfo updated = device("mine", "1.1"), other = device("other", "1.0");
  store.save(mine, {.failure = "wrong"});
  store.save(other, {});
  EXPECT_FALSE(store.load(updated));
  EXPECT_TRUE(store.load(other)->passed());
  EXPECT_FALSE(store.load(mine)->passed());
}

TEST_F(VerdictStoreTest, TellsOfSeveralDevicesInTheirOrder) {
  const DeviceInfo other = device("other", "1.0"), unknown = device("unknown", "1.0");
  store.save(mine, {.failure = "wrong"});
  store.save(other, {});
  const auto verdicts = store.load(std::vector{other, unknown, mine});
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_TRUE(verdicts[0]->passed());
  EXPECT_FALSE(verdicts[1]);
  EXPECT_FALSE(verdicts[2]->passed());
}

TEST_F(VerdictStoreTest, IsOfTheKernels) {
  store.save(mine, {});
  setenv("VITCL_KERNEL_DIR", "/another/folder", 1);
  EXPECT_FALSE(store.load(mine));
}

TEST_F(VerdictStoreTest, DamagedLinesSayNothing) {
  store.save(mine, {.failure = "wrong"});
  std::ofstream(store.file(), std::ios::app) << "garbage\n{}\n[1]\n{\"device\": 7}\n";
  EXPECT_FALSE(store.load(mine)->passed());
  EXPECT_FALSE(VerdictStore(folder.path()).load(mine)) << "a folder";
}

TEST_F(VerdictStoreTest, SaysWhereItCantBeKept) {
  std::ofstream(folder / "file") << "in the way";
  const VerdictStore impossible(folder / "file/verdicts.jsonl");
  EXPECT_TRUE(says(error_of<StorageError>([&] { impossible.save(mine, {}); }), {"VITCL_CACHE_DIR"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { VerdictStore("").save(mine, {}); }), {"VITCL_CACHE_DIR"}));
}

}  // namespace
}  // namespace vitcl::test
