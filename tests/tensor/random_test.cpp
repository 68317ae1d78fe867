#include "vitcl/tensor/random.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vitcl {
namespace {

using Block = std::array<uint32_t, 4>;

// The known answers that Random123 ships for philox4x32 with ten rounds (kat_vectors).
static_assert(philox4x32({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

TEST(Random, DrawsTheBlocksOfItsSeedAndStreamInOrder) {
  Random random(0x0000000100000002ULL, 0x0000000300000004ULL);
  for (uint32_t index = 0; index < 3; ++index)
    for (const uint32_t word : philox4x32({index, 0, 4, 3}, {2, 1})) EXPECT_EQ(random.next(), word);
}

TEST(Random, DiffersBySeedAndByStream) {
  EXPECT_NE(Random(1, 0).next(), Random(2, 0).next());
  EXPECT_NE(Random(1, 0).next(), Random(1, 1).next());
  EXPECT_EQ(Random(1, 1).next(), Random(1, 1).next());
}

TEST(Random, UniformLiesInTheHalfOpenUnitIntervalWithTheRightMoments) {
  Random random(7);
  constexpr int count = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const float value = random.uniform();
    ASSERT_GE(value, 0.0F);
    ASSERT_LT(value, 1.0F);
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  EXPECT_NEAR(sum / count, 0.5, 0.004);  // six standard errors of the mean
  EXPECT_NEAR(squares / count, 1.0 / 3, 0.004);
}

TEST(Random, NormalHasTheRightMomentsAndTails) {
  Random random(11);
  constexpr int count = 200000;
  double sum = 0, squares = 0;
  int outside = 0;
  for (int i = 0; i < count; ++i) {
    const double value = static_cast<double>(random.normal());
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    if (std::abs(value) > 1.959964) ++outside;
  }
  EXPECT_NEAR(sum / count, 0, 0.0135);  // six standard errors
  EXPECT_NEAR(squares / count, 1, 0.019);
  EXPECT_NEAR(static_cast<double>(outside) / count, 0.05, 0.003);
}

TEST(Random, BelowIsUniformAndStaysBelow) {
  Random random(3);
  EXPECT_EQ(random.below(0), 0U);
  EXPECT_EQ(random.below(1), 0U);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts.at(random.below(7));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 560);  // six standard deviations
}

}  // namespace
}  // namespace vitcl
