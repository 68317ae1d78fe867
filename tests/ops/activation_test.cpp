#include <fmt/ranges.h>

#include <cmath>
#include <limits>

#include "selftest/activation_check.hpp"
#include "support/devices.hpp"

namespace vitcl::test {

constexpr float infinity = std::numeric_limits<float>::infinity();

class ActivationTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ActivationTest, all_devices(), device_name);

// The limits are those that cl/common/activation.h and cl/common/lanes.h state.
TEST_P(ActivationTest, IsAccurateOverTheWholeRange) {
  const DeviceCaps& caps = device().caps();
  double worst_ulp = 0;
  const Problems problems = check_activations(device(),
                                              caps.interpreter          ? 800
                                              : caps.small_kernels_only ? 40'000
                                                                        : 400'000,
                                              worst_ulp);
  EXPECT_TRUE(problems.empty()) << fmt::format("{}", fmt::join(problems, "\n"));
  EXPECT_GT(worst_ulp, 0.1) << "nothing was compared";
}

TEST_P(ActivationTest, HandlesTheEnds) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {infinity, -infinity, nan, 1e30F, -1e30F, 0, 89, -104, 88.72F, -20, 20};
  const ActivationProbe probed = probe_activations(device(), x);
  const size_t n = probed.x.size();
  const auto at = [&](const std::vector<float>& values, size_t i, size_t half) { return values[i + half * n]; };
  for (const size_t half : {0, 1}) {
    const std::vector<float> exps = {infinity, 0, nan, infinity, 0, 1, infinity, 0};
    const std::vector<float> gelus = {infinity, nan, nan, 1e30F, 0, 0, 89, 0};
    const std::vector<float> derivatives = {nan, nan, nan, 1, 0, 0.5F, 1, 0};
    for (size_t i = 0; i < exps.size(); ++i) {
      if (std::isnan(exps[i])) {
        EXPECT_TRUE(std::isnan(at(probed.exps, i, half))) << x[i];
      } else {
        EXPECT_EQ(at(probed.exps, i, half), exps[i]) << x[i];
      }
    }
    for (size_t i = 3; i < gelus.size(); ++i) EXPECT_EQ(at(probed.gelus, i, half), gelus[i]) << x[i];
    EXPECT_TRUE(std::isnan(at(probed.gelus, 2, half)));
    EXPECT_TRUE(std::isnan(at(probed.derivatives, 2, half)));
    for (size_t i = 3; i < derivatives.size(); ++i) {
      EXPECT_EQ(at(probed.derivatives, i, half), derivatives[i]) << x[i];
    }
    EXPECT_TRUE(std::isfinite(at(probed.exps, 8, half)));
  }
}

}  // namespace vitcl::test
