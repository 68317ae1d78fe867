#include "vitcl/io/image.hpp"

#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <cstdio>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::io {
namespace {

using test::error_of;
using test::says;

Image random_image(size_t width, size_t height, size_t channels) {
  Image image{width, height, channels, std::vector<uint8_t>(width * height * channels)};
  Random random(width * 1000 + height);
  for (uint8_t& sample : image.pixels) sample = static_cast<uint8_t>(random.next());
  return image;
}

/// A PNG of any kind, written by libpng itself. `rows` holds packed samples, `palette` colours and their alpha.
struct RawPng {
  png_uint_32 width, height;
  int depth, type, interlace;
  std::vector<std::vector<uint8_t>> rows;
  std::vector<png_color> palette = {};
  std::vector<uint8_t> alpha = {};
};

void write_raw(const std::filesystem::path& path, RawPng raw) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file);
  png_set_IHDR(png, info, raw.width, raw.height, raw.depth, raw.type, raw.interlace, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!raw.palette.empty()) png_set_PLTE(png, info, raw.palette.data(), static_cast<int>(raw.palette.size()));
  if (!raw.alpha.empty()) png_set_tRNS(png, info, raw.alpha.data(), static_cast<int>(raw.alpha.size()), nullptr);
  png_write_info(png, info);
  std::vector<png_bytep> rows;
  for (auto& row : raw.rows) rows.push_back(row.data());
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  std::fclose(file);
}

class PngTest : public ::testing::Test {
 protected:
  std::string read_error() {
    return error_of<DataError>([&] { read_png(path_); });
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "image.png";
};

TEST_F(PngTest, ReadsWhatItWrote) {
  for (const size_t channels : {size_t{1}, size_t{3}})
    for (const size_t width : {size_t{1}, size_t{7}, size_t{28}}) {
      const Image image = random_image(width, 5, channels);
      write_png(path_, image);
      EXPECT_EQ(read_png(path_), image);
    }
}

TEST_F(PngTest, ReadsEveryKind) {
  write_raw(path_, {2, 1, 16, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, {{0xFF, 0xFF, 0x80, 0x00}}});
  EXPECT_EQ(read_png(path_), (Image{2, 1, 1, {255, 128}}));
  write_raw(path_, {9, 1, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, {{0b10100000, 0b10000000}}});
  EXPECT_EQ(read_png(path_), (Image{9, 1, 1, {255, 0, 255, 0, 0, 0, 0, 0, 255}}));
  write_raw(path_, {3, 1, 2, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, {{0b00011000}}});
  EXPECT_EQ(read_png(path_), (Image{3, 1, 1, {0, 85, 170}}));
  write_raw(path_, {2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_INTERLACE_NONE, {{200, 255, 200, 128}}});
  EXPECT_EQ(read_png(path_), (Image{2, 1, 1, {200, 100}}));
  write_raw(path_, {1, 2, 8, PNG_COLOR_TYPE_RGB_ALPHA, PNG_INTERLACE_NONE, {{10, 20, 30, 255}, {10, 20, 30, 0}}});
  EXPECT_EQ(read_png(path_), (Image{1, 2, 3, {10, 20, 30, 0, 0, 0}}));
  write_raw(path_, {2, 1, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, {{1, 0}}, {{1, 2, 3}, {4, 5, 6}}});
  EXPECT_EQ(read_png(path_), (Image{2, 1, 3, {4, 5, 6, 1, 2, 3}}));
  write_raw(path_, {2, 1, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, {{1, 0}}, {{1, 2, 3}, {4, 5, 6}}, {0, 255}});
  EXPECT_EQ(read_png(path_), (Image{2, 1, 3, {4, 5, 6, 0, 0, 0}}));
}

TEST_F(PngTest, ReadsInterlacedImages) {
  const Image image = random_image(13, 11, 1);
  RawPng raw{13, 11, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_ADAM7, {}};
  for (size_t y = 0; y < 11; ++y) raw.rows.emplace_back(&image.pixels[y * 13], &image.pixels[y * 13] + 13);
  write_raw(path_, raw);
  EXPECT_EQ(read_png(path_), image);
}

TEST_F(PngTest, BrokenFilesAreErrorsThatNameThem) {
  EXPECT_TRUE(says(read_error(), {path_.string(), "No such file"}));
  test::write_file(path_, {});
  EXPECT_TRUE(says(read_error(), {path_.string(), "no PNG file"}));
  test::write_file(path_, std::vector<uint8_t>(100, 0xD8));
  EXPECT_TRUE(says(read_error(), {"no PNG file"}));
  EXPECT_TRUE(says(error_of<DataError>([&] { read_png(folder_.path()); }), {"it is a folder"}));
}

TEST_F(PngTest, SurvivesTruncatedAndMutatedFiles) {
  write_png(path_, random_image(16, 16, 3));
  const std::vector<uint8_t> bytes = test::read_file(path_);
  for (size_t size = 0; size < bytes.size(); size += 7) {
    test::write_file(path_, std::span(bytes).first(size));
    EXPECT_TRUE(says(read_error(), {"can't read the image"})) << size;
  }
  Random random(5);
  for (int round = 0; round < 1000; ++round) {
    std::vector<uint8_t> mutated = bytes;
    for (int change = 0; change < 3; ++change)
      mutated.at(random.below(static_cast<uint32_t>(mutated.size()))) = static_cast<uint8_t>(random.next());
    test::write_file(path_, mutated);
    const std::string error = read_error();
    if (error == "no error") continue;
    ASSERT_TRUE(says(error, {"can't read the image " + path_.string()})) << "round " << round;
  }
}

TEST_F(PngTest, RefusesMoreThanItsCapOfPixels) {
  // A header of 8192 x 8192 and nothing else: refused before any memory is taken.
  write_raw(path_, {8192, 1, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, {std::vector<uint8_t>(1024)}});
  std::vector<uint8_t> bytes = test::read_file(path_);
  bytes[22] = 0x20;  // the height's third byte: 8193
  const auto crc = static_cast<uint32_t>(crc32(0, &bytes[12], 17));
  for (size_t i = 0; i < 4; ++i) bytes[29 + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
  test::write_file(path_, bytes);
  EXPECT_TRUE(says(read_error(), {"8192 x 8193 pixels, more than"}));
}

TEST_F(PngTest, RefusesToWriteWhatIsNoImage) {
  EXPECT_THROW(write_png(path_, {2, 2, 2, std::vector<uint8_t>(8)}), StorageError);
  EXPECT_THROW(write_png(path_, {2, 2, 1, std::vector<uint8_t>(3)}), StorageError);
  EXPECT_THROW(write_png(folder_ / "none" / "a.png", random_image(2, 2, 1)), StorageError);
  EXPECT_EQ(folder_.entries(), 0U);
}

TEST(Image, ChangesChannels) {
  const Image colour{2, 1, 3, {255, 255, 255, 255, 0, 0}};
  EXPECT_EQ(with_channels(colour, 1), (Image{2, 1, 1, {255, 76}}));  // 0.299 of 255
  EXPECT_EQ(with_channels({2, 1, 1, {7, 9}}, 3), (Image{2, 1, 3, {7, 7, 7, 9, 9, 9}}));
  EXPECT_EQ(with_channels(colour, 3), colour);
  EXPECT_THROW(with_channels(colour, 4), UsageError);
  EXPECT_EQ(planes(colour), (std::vector<uint8_t>{255, 255, 255, 0, 255, 0}));
}

TEST(Image, ResizesByATriangleFilter) {
  const Image image = random_image(28, 28, 1);
  EXPECT_EQ(resized(image, 28), image);
  EXPECT_EQ(resized({3, 5, 3, std::vector<uint8_t>(45, 77)}, 11), (Image{11, 11, 3, std::vector<uint8_t>(363, 77)}));
  // Enlarged twofold: weights 3/4 and 1/4 of the two nearest, the border repeated.
  EXPECT_EQ(resized({2, 2, 1, {0, 100, 0, 100}}, 4),
            (Image{4, 4, 1, {0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100}}));
  // Shrunk to a pixel: a triangle over all four columns, weights 1, 3, 3, 1.
  EXPECT_EQ(resized({4, 1, 1, {0, 80, 160, 240}}, 1), (Image{1, 1, 1, {120}}));
  EXPECT_EQ(resized({1, 1, 1, {9}}, 2), (Image{2, 2, 1, {9, 9, 9, 9}}));
}

}  // namespace
}  // namespace vitcl::io
