#include "vitcl/data/image_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

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
  /// A file that begins as a PNG does.
  void break_png(const std::string& path) {
    test::write_file(folder_ / path, std::vector<uint8_t>{0x89, 'P', 'N', 'G', 1, 2, 3});
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

TEST_F(ImageFolderTest, StrictlyABrokenPictureIsAnError) {
  put_two_classes("train/");
  put("val/cat/x.png", 1);
  break_png("train/cat/5.png");
  EXPECT_TRUE(says(error_for({.strict = true}), {"train/cat/5.png", "can't read the image"}));
  test::write_file(folder_ / "train" / "dog" / "deeper" / "1.JPG", std::vector<uint8_t>{0xFF, 0xD8, 0xFF, 0});
  put("train/cat/5.png", 5);
  EXPECT_TRUE(says(error_for({.strict = true}), {"deeper/1.JPG"}));
}

TEST_F(ImageFolderTest, BrokenPicturesAreLeftOutAndTheOthersStayWhereTheyAre) {
  put_two_classes("");
  const auto values_without = [](const Split& split, uint8_t broken) {
    std::vector<uint8_t> values;
    std::vector<uint8_t> image(split.image_bytes());
    for (size_t i = 0; i < split.count; ++i) {
      split.read(i, image);
      if (image[0] != broken) values.push_back(image[0]);
    }
    return values;
  };
  const Dataset whole = load({.val_split = 0.3});
  for (uint8_t broken = 0; broken < 10; ++broken) {  // some are trained on, some tested on
    const std::string name = "cat/" + std::to_string(broken) + ".png";
    break_png(name);
    for (const size_t most_bytes : {size_t{0}, size_t{100}}) {  // in memory, and not
      const Dataset left = load({.val_split = 0.3, .most_bytes = most_bytes});
      ASSERT_EQ(left.unreadable.size(), 1U);
      EXPECT_TRUE(says(left.unreadable[0], {name, "can't read the image"}));
      EXPECT_EQ(left.train.count + left.test.count, 13U);
      EXPECT_EQ(left.train.labels.size(), left.train.count);
      EXPECT_EQ(values_without(left.train, 255), values_without(whole.train, broken));
      EXPECT_EQ(values_without(left.test, 255), values_without(whole.test, broken));
      EXPECT_NE(fingerprint(left), fingerprint(whole));
    }
    put(name, broken);
  }
}

TEST_F(ImageFolderTest, LinksOutOfTheFolderAreLeftOut) {
  put_two_classes("data/train/");
  put("data/val/cat/x.png", 1);
  put("elsewhere/secret.png", 77);
  const fs::path cats = folder_ / "data" / "train" / "cat";
  fs::create_symlink(folder_ / "elsewhere" / "secret.png", cats / "out.png");
  fs::create_symlink("3.png", cats / "in.png");
  fs::create_symlink("../../val/cat/x.png", cats / "across.png");
  fs::create_symlink("nothing.png", cats / "dangling.png");
  fs::create_symlink("circle.png", cats / "circle.png");
  ASSERT_EQ(mkfifo((cats / "pipe.png").c_str(), 0600), 0);
  const auto data = [&](bool strict) { return load_image_folder(folder_ / "data", {.strict = strict}); };
  const Dataset dataset = data(false);
  EXPECT_EQ(dataset.train.count, 16U);  // with what stays inside
  EXPECT_EQ(std::count(dataset.train.pixels.begin(), dataset.train.pixels.end(), 77), 0);
  std::vector<std::string> why = dataset.unreadable;
  std::sort(why.begin(), why.end());
  ASSERT_EQ(why.size(), 4U);
  EXPECT_TRUE(says(why[0], {"circle.png", "link to no file"}));
  EXPECT_TRUE(says(why[1], {"dangling.png", "link to no file"}));
  EXPECT_TRUE(says(why[2], {"out.png", "link out of the folder", "secret.png"}));
  EXPECT_TRUE(says(why[3], {"pipe.png", "no regular file"}));
  EXPECT_TRUE(says(error_of<DataError>([&] { data(true); }), {"cat/"}));
}

TEST_F(ImageFolderTest, AClassMayLieInTheFolderOnly) {
  put_two_classes("data/train/");
  put("data/val/cat/x.png", 1);
  fs::rename(folder_ / "data" / "train" / "dog", folder_ / "dog");
  fs::create_directory_symlink(folder_ / "dog", folder_ / "data" / "train" / "dog");
  const std::string error = error_of<DataError>([&] { load_image_folder(folder_ / "data", {}); });
  EXPECT_TRUE(says(error, {"none of the class dog to train on", "link out of the folder"}));
  fs::rename(folder_ / "data" / "train", folder_ / "train");  // all of train may lie elsewhere
  fs::create_directory_symlink(folder_ / "train", folder_ / "data" / "train");
  fs::remove(folder_ / "train" / "dog");
  fs::rename(folder_ / "dog", folder_ / "train" / "dog");
  EXPECT_EQ(load_image_folder(folder_ / "data", {}).train.count, 14U);
}

TEST_F(ImageFolderTest, SaysWhereBrokenPicturesLeaveTooFew) {
  put("train/cat/a.png", 1);
  put("train/dog/a.png", 2);
  put("train/dog/b.png", 3);
  put("val/cat/x.png", 1);
  break_png("train/cat/a.png");
  EXPECT_TRUE(says(error_for(), {"1 of the pictures", "none of the class cat to train on", "train/cat/a.png"}));
  break_png("train/dog/a.png");
  break_png("train/dog/b.png");
  EXPECT_TRUE(says(error_for(), {"none of the training pictures", "--strict"}));
  for (const char* name : {"train/cat/a.png", "train/dog/a.png"}) put(name, 1);
  EXPECT_EQ(load().unreadable.size(), 1U);
  break_png("val/cat/x.png");
  EXPECT_TRUE(says(error_for(), {"2 of the pictures", "none to test on"}));
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
