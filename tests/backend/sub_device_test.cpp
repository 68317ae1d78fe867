// Sub-devices of the devices that can be cut.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/devices.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {
namespace {

class SubDeviceTest : public test::DeviceTest {
 protected:
  void SetUp() override {
    try {
      whole_ = GetParam().info;
      select_device(whole_.selector() + "/1");
    } catch (const DeviceError& refusal) {
      ASSERT_NE(std::string(refusal.what()).find(whole_.name + " makes no sub-device of 1 of its"), std::string::npos)
          << refusal.what();
      GTEST_SKIP() << refusal.what();
    }
    if (whole_.caps.compute_units < 2) GTEST_SKIP() << "one compute unit can't be cut in two";
  }
  std::vector<DeviceInfo> halves() const {
    return select_devices(fmt::format("{0}/{1},{0}/{1}", whole_.selector(), whole_.caps.compute_units / 2));
  }
  DeviceInfo whole_;
};

/// Keeps the device busy and returns a number that depends on all of the work.
float work(Device& device, int rounds) {
  constexpr size_t items = 64;
  const Kernel kernel = device.kernel("fma_peak", "fma_peak", KernelSpec{}.define("CHAINS", 2));
  const Buffer sums = device.allocate(items * sizeof(float));
  device.queue().launch(kernel, {.global = {items}, .local = {1}}, 0.5F, 1.0F, rounds, sums);
  float last = 0;
  device.queue().read(sums, &last, sizeof last, (items - 1) * sizeof last);
  return last;
}

TEST_P(SubDeviceTest, ItsCapabilitiesAreThePartsOwn) {
  const DeviceInfo one = select_device(whole_.selector() + "/1");
  EXPECT_EQ(one.caps.compute_units, 1U);
  EXPECT_EQ(one.part, (DevicePart{0, 1, whole_.caps.compute_units}));
  EXPECT_EQ(one.caps.type, whole_.caps.type);
  EXPECT_GT(one.caps.memory_bytes, 0U);
  EXPECT_EQ(one.selector(), whole_.selector() + "/1");
  EXPECT_EQ(select_device(one.selector()).part, one.part);
}

TEST_P(SubDeviceTest, PartsFollowEachOther) {
  const auto parts = halves();
  const unsigned half = whole_.caps.compute_units / 2;
  EXPECT_EQ(parts[0].part, (DevicePart{0, half, whole_.caps.compute_units}));
  EXPECT_EQ(parts[1].part, (DevicePart{half, half, whole_.caps.compute_units}));
}

TEST_P(SubDeviceTest, MoreUnitsThanThereAreAreRefused) {
  const auto selector = whole_.selector();
  const unsigned units = whole_.caps.compute_units;
  EXPECT_THROW(select_device(fmt::format("{}/{}", selector, units + 1)), DeviceError);
  EXPECT_THROW(select_devices(fmt::format("{0}/1,{0}/{1}", selector, units)), DeviceError);
}

TEST_P(SubDeviceTest, TwoPartsComputeAtOnce) {
  const auto parts = halves();
  Device first(parts[0]), second(parts[1]);
  float sums[2] = {};
  std::thread other([&] { sums[1] = work(second, 1 << 10); });
  sums[0] = work(first, 1 << 10);
  other.join();
  EXPECT_EQ(sums[0], 2 * 32.0F);  // each of 32 chains ends at term / (1 - factor)
  EXPECT_EQ(sums[1], sums[0]);
}

/// Processor time of each thread of this process, in clock ticks.
std::map<std::string, long> thread_times() {
  std::map<std::string, long> times;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream stream(task.path() / "stat");
    std::string line, field;
    std::getline(stream, line);
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    for (int i = 0; i < 12; ++i) fields >> field;  // utime is the 14th of the line, the 12th behind the name
    times[task.path().filename()] = std::stol(field);
  }
  return times;
}

/// The thread that did most of what the device was given.
std::string busiest_thread(Device& device) {
  work(device, 1);  // compiled
  const auto before = thread_times();
  std::string busiest;
  long most = 0;
  for (int rounds = 1 << 12; most < 20; rounds *= 2) {
    work(device, rounds);
    for (const auto& [thread, time] : thread_times()) {
      const auto earlier = before.find(thread);
      const long spent = time - (earlier == before.end() ? 0 : earlier->second);
      if (spent > most) {
        most = spent;
        busiest = thread;
      }
    }
  }
  return busiest;
}

TEST_P(SubDeviceTest, SingleUnitsOfPoclAreThreadsOfTheirOwn) {
  if (whole_.alias != "pocl") GTEST_SKIP() << "other drivers may hand work to any thread";
  const auto parts = select_devices(fmt::format("{0}/1,{0}/1", whole_.selector()));
  Device first(parts[0]), second(parts[1]);
  const std::string thread = busiest_thread(first);
  EXPECT_NE(busiest_thread(second), thread);
  EXPECT_EQ(busiest_thread(first), thread);
}

TEST_P(SubDeviceTest, AClosedPartLeavesNothing) {
  const size_t before = live_opencl_objects();
  for (int i = 0; i < 3; ++i) {
    Device part(select_device(whole_.selector() + "/1"));
    work(part, 1);
  }
  EXPECT_EQ(live_opencl_objects(), before);
}

INSTANTIATE_TEST_SUITE_P(Devices, SubDeviceTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl
