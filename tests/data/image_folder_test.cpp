#include "vitcl/data/image_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "support/errors.hpp"
#include "support/jpeg_file.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/load.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::says;

io::Image plain(size_t width, size_t height, size_t channels, uint8_t value) {
  return {width, height, channels, std::vector<uint8_t>(width * height * channels, value)};
}

class ImageFolderTest : public ::testing::Test {
 protected:
  /// A picture of one value; its ending tells the kind.
  void put(const std::string& path, uint8_t value, size_t channels = 1, size_t width = 8, size_t height = 8) {
    fs::create_directories((folder_ / path).parent_path());
    if (path.ends_with(".png")) {
      io::write_png(folder_ / path, plain(width, height, channels, value));
    } else {
      test::write_jpeg(folder_ / path, plain(width, height, channels, value));
    }
  }
  /// Two classes, the first of 10 pictures, the second of 4.
  void put_two_classes(const std::string& place) {
    for (uint8_t i = 0; i < 10; ++i) put(place + "cat/" + std::to_string(i) + ".png", i);
    for (uint8_t i = 0; i < 4; ++i)
      put(place + "dog/deeper/" + std::to_string(i) + ".JPG", static_cast<uint8_t>(100 + i));
  }
  Dataset load(FolderOptions options = {}) { return load_image_folder(folder_.path(), options); }
  std::string error_for(FolderOptions options = {}) {
    return error_of<DataError>([&] { load(options); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(ImageFolderTest, ReadsTrainAndTestFolders) {
  put_two_classes("train/");
  put("val/dog/a.jpeg", 100);
  put("val/.hidden/b.png", 1);
  put("train/cat/.hidden.png", 1);
  const Dataset dataset = load();
  EXPECT_EQ(dataset.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(dataset.train.count, 14U);
  EXPECT_EQ(dataset.train.channels, 1U);
  EXPECT_EQ(dataset.train.side, 8U);
  EXPECT_EQ(dataset.test.labels, (std::vector<int32_t>{1}));
  for (size_t i = 0; i < dataset.train.count; ++i)
    EXPECT_EQ(dataset.train.pixels[i * 64] >= 90, dataset.train.labels[i] == 1) << i;
}

TEST_F(ImageFolderTest, SplitsEachClassAlikeAndAlwaysTheSame) {
  put_two_classes("");
  const Dataset dataset = load({.val_split = 0.3});
  EXPECT_EQ(dataset.train.count, 10U);
  EXPECT_EQ(dataset.test.count, 4U);
  EXPECT_EQ(std::count(dataset.test.labels.begin(), dataset.test.labels.end(), 1), 1);
  EXPECT_TRUE(std::adjacent_find(dataset.train.labels.begin(), dataset.train.labels.end(), std::greater<>()) !=
              dataset.train.labels.end());  // mixed
  const Dataset again = load({.val_split = 0.3});
  EXPECT_EQ(again.train, dataset.train);
  std::map<int, int> seen;  // every picture once
  for (const Split* split : {&dataset.train, &dataset.test})
    for (size_t i = 0; i < split->count; ++i) ++seen[split->pixels[i * 64]];
  EXPECT_EQ(seen.size(), 14U);
}

TEST_F(ImageFolderTest, ASplitTakesThePlaceOfTestPictures) {
  put_two_classes("train/");
  put("val/dog/other.png", 1);
  EXPECT_EQ(load().test.count, 1U);
  const Dataset dataset = load({.val_split = 0.3});
  EXPECT_EQ(dataset.train.count, 10U);
  EXPECT_EQ(dataset.test.count, 4U);
}

TEST_F(ImageFolderTest, TakesSizeAndColoursFromThePicturesOrTheOptions) {
  put("a/wide.png", 10, 3, 20, 12);
  put("a/other.png", 10, 3, 20, 12);
  put("b/grey.png", 200, 1, 20, 12);
  put("b/more.png", 200, 1, 20, 12);
  Dataset dataset = load({.val_split = 0.5});
  EXPECT_EQ(dataset.train.channels, 3U);
  EXPECT_EQ(dataset.train.side, 12U);
  EXPECT_EQ(dataset.mean.size(), 3U);
  dataset = load({.image_size = 5, .channels = 1, .val_split = 0.5});
  EXPECT_EQ(dataset.train.channels, 1U);
  EXPECT_EQ(dataset.train.bytes(), 2U * 25);
}

TEST_F(ImageFolderTest, IsTheSameWhereItDoesNotFitInMemory) {
  put_two_classes("");
  const Dataset kept = load({.val_split = 0.3, .workers = 1});
  const Dataset decoded = load({.val_split = 0.3, .most_bytes = 100, .workers = 3});
  EXPECT_TRUE(decoded.train.pixels.empty());
  EXPECT_EQ(fingerprint(decoded), fingerprint(kept));
  EXPECT_EQ(decoded.mean, kept.mean);
  EXPECT_EQ(decoded.deviation, kept.deviation);
  std::vector<uint8_t> image(64);
  for (size_t i = 0; i < kept.train.count; ++i) {
    decoded.train.read(i, image);
    EXPECT_TRUE(
        std::equal(image.begin(), image.end(), kept.train.pixels.begin() + static_cast<std::ptrdiff_t>(i * 64)));
  }
}

TEST_F(ImageFolderTest, TheFingerprintFollowsNamesAndFiles) {
  put_two_classes("");
  const std::string before = fingerprint(load({.val_split = 0.3}));
  put("cat/3.png", 77);
  const std::string changed = fingerprint(load({.val_split = 0.3}));
  EXPECT_NE(changed, before);
  EXPECT_NE(fingerprint(load({.image_size = 4, .val_split = 0.3})), changed);
  fs::rename(folder_ / "cat", folder_ / "bird");
  EXPECT_NE(fingerprint(load({.val_split = 0.3})), changed);
}

TEST_F(ImageFolderTest, ABrokenPictureIsNamed) {
  put_two_classes("train/");
  put("val/cat/x.png", 1);
  test::write_file(folder_ / "train" / "cat" / "5.png", std::vector<uint8_t>{0x89, 'P', 'N', 'G', 1, 2, 3});
  EXPECT_TRUE(says(error_for(), {"train/cat/5.png", "can't read the image"}));
  test::write_file(folder_ / "train" / "dog" / "deeper" / "1.JPG", std::vector<uint8_t>{0xFF, 0xD8, 0xFF, 0});
  put("train/cat/5.png", 5);
  EXPECT_TRUE(says(error_for(), {"deeper/1.JPG"}));
}

TEST_F(ImageFolderTest, SaysWhatIsWrongWithTheFolders) {
  put("cat/a.png", 1);
  EXPECT_TRUE(says(error_for(), {"no pictures to test on", "--val-split"}));
  EXPECT_TRUE(says(error_for({.val_split = 0.5}), {"one class: cat"}));
  fs::create_directory(folder_ / "dog");
  EXPECT_TRUE(says(error_for({.val_split = 0.5}), {"dog", "holds no .png"}));
  put("dog/a.png", 1);
  EXPECT_TRUE(says(error_for({.val_split = 0.5}), {"no pictures to test on"}));  // one of each
  fs::create_directory(folder_ / "train");
  fs::rename(folder_ / "cat", folder_ / "train" / "cat");
  fs::rename(folder_ / "dog", folder_ / "train" / "dog");
  put("test/bird/a.png", 1);
  EXPECT_TRUE(says(error_for(), {"test/bird", "no class of the training pictures", "cat, dog"}));
}

TEST_F(ImageFolderTest, IsLoadedByItsFoldersName) {
  put_two_classes("");
  LoadOptions options;
  options.val_split = 0.3;
  options.train_samples = 6;
  const Dataset dataset = load_dataset(folder_.path().string(), options);
  EXPECT_EQ(dataset.train.count, 6U);
  EXPECT_EQ(dataset.train.pixels.size(), 6U * 64);
  EXPECT_TRUE(says(dataset.source, {"pictures in", folder_.path().string()}));
  EXPECT_FALSE(known_shape(folder_.path().string()).has_value());
}

}  // namespace
}  // namespace vitcl::data
