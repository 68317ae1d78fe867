#include "backend/event_clock.hpp"

#include <gtest/gtest.h>

#include "support/devices.hpp"

namespace vitcl {
namespace {

TEST(EventClock, TimesMayDifferByTheStartOfACommand) {
  EXPECT_TRUE(times_agree(0.020, 0.020));
  EXPECT_TRUE(times_agree(0.015, 0.020));
  EXPECT_TRUE(times_agree(0.0201, 0.020));
}

TEST(EventClock, OtherUnitsAndZerosDoNotAgree) {
  EXPECT_FALSE(times_agree(0, 0.020));
  EXPECT_FALSE(times_agree(20, 0.020));
  EXPECT_FALSE(times_agree(0.020e-3, 0.020));
  EXPECT_FALSE(times_agree(-0.020, 0.020));
}

class EventClockTest : public test::DeviceTest {};

TEST_P(EventClockTest, TheMeasurementFindsWhatIsKnown) {
  if (test::is_oclgrind(GetParam().info)) GTEST_SKIP() << "an interpreter takes too long for kernels worth timing";
  DeviceInfo info = GetParam().info;
  info.caps.profiling_clock_broken = false;
  Device profiled(info, {.profile = true});
  EXPECT_EQ(profiled.caps().profiling_clock_broken, GetParam().info.caps.profiling_clock_broken);
  EXPECT_TRUE(profiled.queue().profile().empty());
  EXPECT_TRUE(profiled.queue().trace().empty());
}

TEST_P(EventClockTest, NothingIsMeasuredUnasked) {
  DeviceInfo info = GetParam().info;
  info.caps.profiling_clock_broken = false;
  EXPECT_FALSE(Device(info).caps().profiling_clock_broken);
  EXPECT_FALSE(Device(info, {.profile = true, .dry = true}).caps().profiling_clock_broken);
  info.caps.profiling_clock_broken = true;
  EXPECT_TRUE(Device(info, {.profile = true}).caps().profiling_clock_broken);
}

INSTANTIATE_TEST_SUITE_P(Devices, EventClockTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl
