#include "vitcl/tensor/half.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/devices.hpp"
#include "vitcl/tensor/tensor.hpp"

namespace vitcl {
namespace {

constexpr uint16_t infinity = 0x7C00, sign = 0x8000;

TEST(Half, KnownValues) {
  EXPECT_EQ(from_half(0x3C00), 1.0F);
  EXPECT_EQ(from_half(0xC000), -2.0F);
  EXPECT_EQ(from_half(0x7BFF), 65504.0F);
  EXPECT_EQ(from_half(0x0001), 0x1p-24F);
  EXPECT_EQ(from_half(0x0400), 0x1p-14F);
  EXPECT_EQ(from_half(infinity), std::numeric_limits<float>::infinity());
}

TEST(Half, EveryNumberComesBackAndBetweenTwoTheNearerIsTaken) {
  for (uint16_t half = 0; half < infinity; ++half) {
    const float low = from_half(half);
    const float high = half + 1 == infinity ? 65536.0F : from_half(static_cast<uint16_t>(half + 1));
    const float middle = low + (high - low) / 2;  // exact in float
    ASSERT_EQ(to_half(low), half);
    ASSERT_EQ(to_half(-low), half | sign);
    ASSERT_EQ(to_half(middle), half + half % 2) << "a tie goes to the even one";
    ASSERT_EQ(to_half(std::nextafter(middle, 0.0F)), half);
    ASSERT_EQ(to_half(std::nextafter(middle, high)), half + 1);
  }
}

TEST(Half, WhatIsTooLargeIsInfiniteAndNanStays) {
  EXPECT_EQ(to_half(65520), infinity);
  EXPECT_EQ(to_half(-1e30F), infinity | sign);
  EXPECT_TRUE(std::isnan(from_half(to_half(std::nanf("")))));
  EXPECT_EQ(to_half(1e-30F), 0);
}

using HalfTensorTest = test::DeviceTest;

TEST_P(HalfTensorTest, TheHostSeesFloats) {
  const Tensor tensor = Tensor::empty(device(), {4}, DType::f16);
  EXPECT_EQ(tensor.bytes(), 8U);
  upload<float>(queue(), std::vector{1.5F, -0.1F, 65504.0F, 0x1p-24F}, tensor);
  EXPECT_EQ(download<float>(queue(), tensor), (std::vector{1.5F, -0.0999755859375F, 65504.0F, 0x1p-24F}));
}

INSTANTIATE_TEST_SUITE_P(Devices, HalfTensorTest, test::all_devices(), test::device_name);

}  // namespace
}  // namespace vitcl
