#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "selftest/op_check.hpp"
#include "vitcl/backend/device.hpp"

namespace vitcl::test {

using namespace selftest;  // the harness of the ops' cases

/// A device as a test parameter. `slug` is its part of a test's name: "pocl_cpu", "llvmpipe", "oclgrind".
struct TestDevice {
  DeviceInfo info;
  std::string slug;
};
inline std::ostream& operator<<(std::ostream& out, const TestDevice& device) { return out << device.info.name; }

/// Every device of this process, with distinct slugs; made once. VITCL_TEST_DEVICES=pocl_cpu[,llvmpipe...] keeps those.
const std::vector<TestDevice>& test_devices();

/// INSTANTIATE_TEST_SUITE_P(Devices, MyTest, all_devices(), device_name);
inline auto all_devices() { return ::testing::ValuesIn(test_devices()); }
inline std::string device_name(const ::testing::TestParamInfo<TestDevice>& info) { return info.param.slug; }

/// The open device, shared by all tests of the process.
Device& open_device(const TestDevice& device);
/// Closes what open_device() opened; main() calls it before it returns.
void close_devices();

/// Oclgrind interprets each instruction and checks each access itself.
bool is_oclgrind(const DeviceInfo& info);
/// The base of a suite that runs on every device.
class DeviceTest : public ::testing::TestWithParam<TestDevice> {
 protected:
  Device& device() { return open_device(GetParam()); }
  Queue& queue() { return device().queue(); }
};

}  // namespace vitcl::test
