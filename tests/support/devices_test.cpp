#include "support/devices.hpp"

#include <algorithm>
#include <set>

namespace vitcl::test {
namespace {

// PoCL is the device that everyone can install: without it silence would look like success.
TEST(AllDevices, PoclIsPresent) {
  const auto is_pocl = [](const TestDevice& device) { return device.slug.starts_with("pocl"); };
  EXPECT_TRUE(std::ranges::any_of(test_devices(), is_pocl))
      << "the tests ran on no PoCL device; install Debian's pocl-opencl-icd";
}

TEST(AllDevices, SlugsAreDistinct) {
  std::set<std::string> slugs;
  for (const TestDevice& device : test_devices()) EXPECT_TRUE(slugs.insert(device.slug).second) << device.slug;
}

}  // namespace
}  // namespace vitcl::test
