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

TEST(SelectDevice, TheFastestOnceTheFirstIsMeasured) {
  auto devices = workstation();
  devices[2].training_speed = 80;
  EXPECT_EQ(select_device("auto", devices).index, 3U);  // a GPU comes first until it is measured
  EXPECT_EQ(select_device("cpu", devices).index, 1U);
  devices[3].training_speed = 70;
  EXPECT_EQ(select_device("auto", devices).index, 2U);
  EXPECT_EQ(select_device("gpu", devices).index, 3U);
  EXPECT_EQ(select_device("cpu", devices).index, 1U);
  devices[1].training_speed = 75;
  EXPECT_EQ(select_device("cpu", devices).index, 2U);
  devices[1].training_speed = 78;
  EXPECT_EQ(select_device("cpu", devices).index, 1U) << "within noise the first stays";
  devices[4].training_speed = 90;
  EXPECT_EQ(select_device("gpu", devices).index, 4U);
}

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

TEST(SelectDevice, WhatFailedTheSelfTestComesLast) {
  auto devices = workstation();
  devices[3].trusted = false;
  devices[4].trusted = true;
  EXPECT_EQ(select_device("auto", devices).index, 4U);
  EXPECT_EQ(select_device("3", devices).index, 3U) << "by its number all the same";
  for (DeviceInfo& device : devices) device.trusted = false;
  EXPECT_EQ(select_device("auto", devices).index, 3U) << "there is no other";
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

TEST(SelectDevice, ByUuidAndPciAddress) {
  auto devices = workstation();
  devices[2].uuid = "2210110f-a000-0332-faff-fffb8b170000";
  devices[3].pci_address = "0000:03:00.0";
  EXPECT_EQ(select_device("2210110F-a000-0332-faff-fffb8b170000", devices).index, 2U);
  EXPECT_EQ(select_device("0000:03:00.0", devices).index, 3U);
  EXPECT_THROW(select_device("0000:04:00.0", devices), DeviceError);
}

TEST(SelectDevice, ASubDeviceHasSomeOfTheUnits) {
  const auto devices = workstation();
  EXPECT_THROW(select_device("pocl/0", devices), UsageError);
  EXPECT_THROW(select_device("cpu:0", devices), UsageError);
  for (const char* wrong : {"pocl/2", "cpu:2", "1/2", "1:0/2", "pocl/99999999999", "pocl/-1", "pocl/x", "pocl/",
                            "cpu:", "cpu:x", "/1", "pocl/1/1"}) {
    EXPECT_THROW(select_device(wrong, devices), DeviceError) << wrong;
  }
}

TEST(SelectDevice, ANameMayHoldASlash) {
  auto devices = workstation();
  devices[4].name = "GRID K1/PCIe/SSE2";
  EXPECT_EQ(select_device("k1/pcie/sse2", devices).index, 4U);
}

TEST(SelectDevices, AListIsInItsOrder) {
  const auto chosen = select_devices(" pocl, 3:1 ,0", workstation());
  ASSERT_EQ(chosen.size(), 3U);
  EXPECT_EQ(chosen[0].index, 1U);
  EXPECT_EQ(chosen[1].index, 4U);
  EXPECT_EQ(chosen[2].index, 0U);
}

TEST(SelectDevices, ACommaInsideParenthesesDoesNotSplit) {
  auto devices = workstation();
  devices[0].name = "llvmpipe (LLVM 15.0.6, 256 bits)";
  const auto chosen = select_devices("llvmpipe (LLVM 15.0.6, 256 bits),intel", devices);
  ASSERT_EQ(chosen.size(), 2U);
  EXPECT_EQ(chosen[0].index, 0U);
  EXPECT_EQ(chosen[1].index, 2U);
}

TEST(SelectDevices, NoDeviceTwiceAndNoEmptyPlace) {
  for (const char* wrong : {"pocl,1:0", "pocl,intel,PoCL", "cpu,pocl/1", "", "pocl,", ",", "pocl,,intel"}) {
    EXPECT_THROW(select_devices(wrong, workstation()), UsageError) << wrong;
  }
  EXPECT_THROW(select_devices("pocl,matrox", workstation()), DeviceError);
}

}  // namespace
}  // namespace vitcl
