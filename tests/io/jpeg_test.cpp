#include <gtest/gtest.h>

#include <cstdlib>

#include "support/errors.hpp"
#include "support/jpeg_file.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::io {
namespace {

using test::error_of;
using test::says;

/// Two soft ramps; channel c is shifted by 40 c.
Image ramps(size_t width, size_t height, size_t channels) {
  Image image{width, height, channels, {}};
  for (size_t y = 0; y < height; ++y)
    for (size_t x = 0; x < width; ++x)
      for (size_t c = 0; c < channels; ++c) image.pixels.push_back(static_cast<uint8_t>(3 * x + 2 * y + 40 * c));
  return image;
}

void expect_close(const Image& got, const Image& wanted, int limit) {
  ASSERT_EQ(got.width, wanted.width);
  ASSERT_EQ(got.height, wanted.height);
  ASSERT_EQ(got.channels, wanted.channels);
  for (size_t i = 0; i < wanted.pixels.size(); ++i)
    ASSERT_LE(std::abs(int{got.pixels[i]} - int{wanted.pixels[i]}), limit) << i;
}

class JpegTest : public ::testing::Test {
 protected:
  std::string read_error() {
    return error_of<DataError>([&] { read_image(path_); });
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "image.jpg";
};

TEST_F(JpegTest, ReadsGreyAndColourBaselineAndProgressive) {
  for (const bool progressive : {false, true})
    for (const size_t channels : {1U, 3U}) {
      const Image image = ramps(19, 7, channels);
      test::write_jpeg(path_, image, 100, progressive);
      expect_close(read_jpeg(path_), image, 6);  // chroma is halved
      EXPECT_EQ(read_image(path_), read_jpeg(path_));
    }
}

TEST_F(JpegTest, RefusesAFileOfEndlessScans) {
  std::vector<jpeg_scan_info> scans{{.comps_in_scan = 1, .component_index = {0}, .Ss = 0, .Se = 0, .Ah = 0, .Al = 0}};
  for (int k = 1; k < 64; ++k)
    scans.push_back({.comps_in_scan = 1, .component_index = {0}, .Ss = k, .Se = k, .Ah = 0, .Al = 1});
  test::write_jpeg(path_, ramps(9, 9, 1), 100, true, scans);
  expect_close(read_jpeg(path_), ramps(9, 9, 1), 6);  // 64 scans of one value each
  for (int k = 1; k < 64; ++k)
    scans.push_back({.comps_in_scan = 1, .component_index = {0}, .Ss = k, .Se = k, .Ah = 1, .Al = 0});
  test::write_jpeg(path_, ramps(9, 9, 1), 100, true, scans);
  EXPECT_TRUE(says(read_error(), {path_.string(), "more than 100 scans"}));
}

TEST_F(JpegTest, TheFirstBytesTellTheKind) {
  const Image image = ramps(4, 4, 3);
  write_png(path_, image);
  EXPECT_EQ(read_image(path_), image);
}

TEST_F(JpegTest, RefusesATruncatedFileOfAnyLength) {
  test::write_jpeg(path_, ramps(40, 40, 3));
  const std::vector<uint8_t> whole = test::read_file(path_);
  for (size_t size = 0; size + 2 < whole.size(); size += 1 + size / 7) {
    test::write_file(path_, std::span(whole).first(size));
    EXPECT_TRUE(says(read_error(), {path_.string(), "can't read the image"})) << size;
  }
}

TEST_F(JpegTest, DamagedDataIsAnErrorOrAnImageOfTheSameSize) {
  test::write_jpeg(path_, ramps(40, 40, 3), 90);
  const std::vector<uint8_t> whole = test::read_file(path_);
  size_t refused = 0;
  for (size_t at = 3; at < whole.size(); at += 5) {
    std::vector<uint8_t> broken = whole;
    broken[at] = static_cast<uint8_t>(~broken[at]);
    test::write_file(path_, broken);
    try {
      read_image(path_);
    } catch (const DataError& error) {
      EXPECT_TRUE(says(error.what(), {path_.string()}));
      ++refused;
    }
  }
  EXPECT_GT(refused, 0U);
}

TEST_F(JpegTest, RefusesWhatIsNoPicture) {
  EXPECT_TRUE(says(read_error(), {"No such file"}));
  test::write_file(path_, std::vector<uint8_t>{'G', 'I', 'F', '8'});
  EXPECT_TRUE(says(read_error(), {"neither a PNG nor a JPEG"}));
  test::write_file(path_, {});
  EXPECT_TRUE(says(read_error(), {"empty"}));
  EXPECT_TRUE(says(error_of<DataError>([&] { read_image(folder_.path()); }), {"it is a folder"}));
}

TEST_F(JpegTest, RefusesCmykAndHugeImages) {
  test::write_jpeg(path_, ramps(8, 8, 4));
  EXPECT_TRUE(says(read_error(), {"CMYK"}));
  test::write_jpeg(path_, ramps(8, 8, 1));
  std::vector<uint8_t> bytes = test::read_file(path_);
  for (size_t i = 0; i + 9 < bytes.size(); ++i)
    if (bytes[i] == 0xFF && bytes[i + 1] == 0xC0) bytes[i + 5] = bytes[i + 7] = 0xFE;  // the frame's height and width
  test::write_file(path_, bytes);
  EXPECT_TRUE(says(read_error(), {"more than the"}));
}

}  // namespace
}  // namespace vitcl::io
