#include <set>

#include "selftest/cases/augment_case.hpp"
#include "support/op_test.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {

INSTANTIATE_TEST_SUITE_P(Augment, OpTest, on_every_device(augment_cases()), op_test_name);

class AugmentTest : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, AugmentTest, all_devices(), device_name);

TEST_P(AugmentTest, RefusesWhatDoesNotFit) {
  const Tensor pixels = Tensor::empty(device(), {5, 1, 4, 4}, DType::u8),
               oblong = Tensor::empty(device(), {5, 1, 4, 3}, DType::u8);
  const Tensor order = Tensor::empty(device(), {6}, DType::i32), epoch = Tensor::empty(device(), {1}, DType::i32);
  const Tensor table = Tensor::empty(device(), {2, 4}), cursor = Tensor::empty(device(), {1}, DType::i32);
  const Tensor one = Tensor::empty(device(), {1}), images = Tensor::empty(device(), {3, 1, 4, 4});
  const Tensor drawn = Tensor::empty(device(), {3, 12}), short_drawn = Tensor::empty(device(), {3, 11});
  const auto load = [&](const Tensor& p, const Tensor& d) {
    ops::load_augmented_images(queue(), p, order, table, cursor, one, one, d, images);
  };
  EXPECT_THROW(load(oblong, drawn), ShapeError);
  EXPECT_THROW(load(pixels, short_drawn), ShapeError);
  EXPECT_THROW(ops::draw_augmentation(queue(), {}, 0, 4, epoch, order, table, cursor, short_drawn), ShapeError);
  EXPECT_THROW(ops::draw_augmentation(queue(), {}, 0, 4, one, order, table, cursor, drawn), ShapeError);
}

/// What the reference, which every device is compared with, draws for 4000 samples.
std::vector<std::array<double, ops::augmentation_words>> draws(const ops::AugmentOptions& options, uint32_t epoch) {
  std::vector<std::array<double, ops::augmentation_words>> all(4000);
  for (uint32_t sample = 0; sample < all.size(); ++sample) {
    reference::draw_augmentation(options, {42, sample, epoch}, 28, all[sample]);
  }
  return all;
}

TEST(AugmentDraws, HaveTheSharesAndRangesThatWereAskedFor) {
  size_t mirrored = 0, erased = 0;
  std::set<double> shifts, widths;
  for (const auto& drawn : draws({.hflip = 0.3F, .crop_padding = 2, .reprob = 0.25F}, 0)) {
    mirrored += drawn[0] < 0 ? 1 : 0;
    erased += drawn[10] > drawn[8] ? 1 : 0;
    shifts.insert(-drawn[5]);
    widths.insert(drawn[10] - drawn[8]);
    EXPECT_GE(drawn[8], 0);
    EXPECT_LE(drawn[10], 28);
    EXPECT_LE(drawn[11], 28);
  }
  EXPECT_NEAR(static_cast<double>(mirrored), 1200, 5 * std::sqrt(4000 * 0.3 * 0.7));
  EXPECT_NEAR(static_cast<double>(erased), 1000, 5 * std::sqrt(4000 * 0.25 * 0.75));
  EXPECT_EQ(shifts, (std::set<double>{-2, -1, 0, 1, 2}));
  EXPECT_EQ(widths.size(), 15U);  // 0 where nothing is erased, else 1 to 14
}

TEST(AugmentDraws, TurnAndZoomEvenlyWithinTheirLimits) {
  double angles = 0, most_angle = 0, least_zoom = 2, most_zoom = 0;
  for (const auto& drawn : draws({.degrees = 20, .scale = 0.25F}, 0)) {
    const double angle = std::atan2(-drawn[3], drawn[4]) * 180 / std::numbers::pi;
    const double zoom = 1 / std::hypot(drawn[3], drawn[4]);
    angles += angle;
    most_angle = std::max(most_angle, std::abs(angle));
    least_zoom = std::min(least_zoom, zoom);
    most_zoom = std::max(most_zoom, zoom);
  }
  EXPECT_NEAR(angles / 4000, 0, 5 * 20 / std::sqrt(3 * 4000.0));
  EXPECT_TRUE(most_angle > 19.8 && most_angle < 20.0001) << most_angle;
  EXPECT_TRUE(least_zoom > 0.7499 && least_zoom < 0.755) << least_zoom;
  EXPECT_TRUE(most_zoom < 1.2501 && most_zoom > 1.245) << most_zoom;
}

TEST(AugmentDraws, DifferFromEpochToEpoch) {
  const auto first = draws({.degrees = 20}, 0), second = draws({.degrees = 20}, 1);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_NE(first[i], second[i]);
}

}  // namespace vitcl::test
