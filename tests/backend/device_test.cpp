#include "vitcl/backend/device.hpp"

#include <gtest/gtest.h>

#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

DeviceInfo device(size_t index, size_t platform, size_t number, std::string name, std::string platform_name,
                  std::vector<std::string> aliases, DeviceType type) {
  DeviceInfo info;
  info.index = index;
  info.platform_index = platform;
  info.device_index = number;
  info.name = std::move(name);
  info.platform = std::move(platform_name);
  info.aliases = std::move(aliases);
  info.alias = info.aliases.empty() ? "" : info.aliases.front();
  info.caps.type = type;
  return info;
}

std::vector<DeviceInfo> workstation() {
  return {device(0, 0, 0, "llvmpipe (LLVM 15)", "rusticl", {"llvmpipe", "rusticl"}, DeviceType::cpu),
          device(1, 1, 0, "pthread-AMD EPYC", "Portable Computing Language", {"pocl"}, DeviceType::cpu),
          device(2, 2, 0, "AMD EPYC", "Intel(R) OpenCL", {"intel"}, DeviceType::cpu),
          device(3, 3, 0, "Radeon Pro", "AMD Accelerated Parallel Processing", {"amd"}, DeviceType::gpu),
          device(4, 3, 1, "Radeon Pro", "AMD Accelerated Parallel Processing", {"amd"}, DeviceType::gpu)};
}

TEST(SelectDevice, AutoPrefersGpusAndIsNeverAmbiguous) {
  EXPECT_EQ(select_device("auto", workstation()).index, 3U);
  EXPECT_EQ(select_device("", workstation()).index, 3U);
  EXPECT_EQ(select_device("gpu", workstation()).index, 3U);
}

TEST(SelectDevice, CpuPrefersPocl) { EXPECT_EQ(select_device(" CPU ", workstation()).index, 1U); }

TEST(SelectDevice, ByIndexAndByPlatformAndDevice) {
  EXPECT_EQ(select_device("2", workstation()).index, 2U);
  EXPECT_EQ(select_device("3:1", workstation()).index, 4U);
  EXPECT_THROW(select_device("9", workstation()), DeviceError);
  EXPECT_THROW(select_device("3:2", workstation()), DeviceError);
}

TEST(SelectDevice, TheFirstTierWithAMatchDecides) {
  EXPECT_EQ(select_device("Intel", workstation()).index, 2U);  // an alias, though other names could match too
  EXPECT_EQ(select_device("RUSTICL", workstation()).index, 0U);
  EXPECT_EQ(select_device("portable", workstation()).index, 1U);     // the platform's name
  EXPECT_EQ(select_device("pthread-amd", workstation()).index, 1U);  // the device's name
}

TEST(SelectDevice, AnAmbiguousNameListsTheCandidates) {
  try {
    select_device("amd", workstation());
    FAIL() << "two devices match";
  } catch (const DeviceError& error) {
    EXPECT_NE(std::string(error.what()).find("3:0"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("3:1"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("1:0"), std::string::npos) << error.what();
  }
}

TEST(SelectDevice, NoDeviceNamesThePackageThatGivesOne) {
  try {
    select_device("auto", {});
    FAIL() << "there is no device";
  } catch (const DeviceError& error) {
    EXPECT_NE(std::string(error.what()).find("pocl-opencl-icd"), std::string::npos);
  }
}

TEST(SelectDevice, NoAcceleratorListsWhatThereIs) {
  EXPECT_THROW(select_device("accelerator", workstation()), DeviceError);
  EXPECT_THROW(select_device("no such thing", workstation()), DeviceError);
}

TEST(SelectDevice, AnInterpreterComesLast) {
  const std::vector<DeviceInfo> devices = {
      device(0, 0, 0, "Oclgrind Simulator", "Oclgrind", {"oclgrind"}, DeviceType::cpu),
      device(1, 1, 0, "llvmpipe", "rusticl", {"llvmpipe", "rusticl"}, DeviceType::cpu)};
  EXPECT_EQ(select_device("auto", devices).index, 1U);
  EXPECT_EQ(select_device("auto", {devices[0]}).index, 0U);
}

}  // namespace
}  // namespace vitcl
