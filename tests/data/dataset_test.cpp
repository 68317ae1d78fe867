#include "vitcl/data/dataset.hpp"

#include <gtest/gtest.h>

#include "vitcl/data/digits.hpp"

namespace vitcl::data {
namespace {

TEST(BorderBrightness, IsTheMeanOfTheOutermostPixels) {
  std::vector<uint8_t> image(9, 255);
  image[4] = 0;
  EXPECT_EQ(border_brightness(image, 1, 3), 1);
  image[0] = 0;
  EXPECT_EQ(border_brightness(image, 1, 3), 7.0 / 8);
  std::vector<uint8_t> two = image;
  two.resize(18, 0);  // a second image, or a second channel
  EXPECT_EQ(border_brightness(two, 1, 3), 7.0 / 16);
  EXPECT_EQ(border_brightness(two, 2, 3), 7.0 / 16);
  EXPECT_EQ(border_brightness({}, 1, 3), -1);
}

TEST(BorderBrightness, TellsThatDigitsAreLightOnDark) {
  const Dataset digits = draw_digits(0, 50, 1);
  EXPECT_LT(border_brightness(digits.train.pixels, 1, digits.train.side), 0.1);
}

}  // namespace
}  // namespace vitcl::data
