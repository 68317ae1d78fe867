#include "vitcl/data/load.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "idx_files.hpp"
#include "support/environment.hpp"
#include "support/errors.hpp"
#include "support/reference_data.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::data {
namespace {

using test::Environment;
using test::error_of;
using test::says;
using test::write_idx_set;

const std::vector<uint8_t> mnist_labels{5, 0, 4, 1, 9, 2, 1, 3, 1}, fashion_labels{9, 0, 0, 3, 0, 2, 7, 2, 7};

/// Empty places to look in: only what a test puts there is found.
class LoadTest : public ::testing::Test {
 protected:
  LoadTest() : working_dir_(std::filesystem::current_path()) {
    std::filesystem::create_directory(folder_ / "work");
    std::filesystem::current_path(folder_ / "work");
    options_.system_dir = folder_ / "system";
  }
  ~LoadTest() override { std::filesystem::current_path(working_dir_); }

  std::string source_of(const std::string& name) { return load_dataset(name, options_).source; }
  std::string error_for(const std::string& name) {
    return error_of<DataError>([&] { load_dataset(name, options_); });
  }

  std::filesystem::path working_dir_;
  test::TemporaryFolder folder_;
  Environment data_dir_{"VITCL_DATA_DIR", folder_ / "variable"};
  Environment cache_{"XDG_CACHE_HOME", folder_ / "cache"};
  LoadOptions options_;
};

TEST_F(LoadTest, LooksInEveryPlaceInOrder) {
  const std::string missing = error_for("mnist");
  EXPECT_TRUE(says(
      missing, {"mnist was not found", (folder_ / "variable" / "mnist").string(), "$VITCL_DATA_DIR", "data/mnist",
                "./data", (folder_ / "cache" / "vitcl" / "mnist").string(), "dataset-fashion-mnist", "--data digits"}));
  write_idx_set(folder_ / "cache" / "vitcl", mnist_labels, {1});
  EXPECT_TRUE(says(source_of("mnist"), {"cache/vitcl", "the user's cache"}));
  write_idx_set("data", mnist_labels, {1});
  EXPECT_TRUE(says(source_of("mnist"), {"IDX files in data (./data)"}));
  write_idx_set(folder_ / "variable", mnist_labels, {1});
  EXPECT_TRUE(says(source_of("mnist"), {"variable ($VITCL_DATA_DIR)"}));
  write_idx_set(folder_ / "variable" / "mnist", mnist_labels, {1});
  EXPECT_TRUE(says(source_of("mnist"), {"variable/mnist ($VITCL_DATA_DIR)"}));
}

TEST_F(LoadTest, ADataDirIsTheOnlyPlace) {
  write_idx_set(folder_ / "variable" / "mnist", mnist_labels, {1});
  options_.data_dir = folder_ / "chosen";
  EXPECT_TRUE(says(error_for("mnist"), {"--data-dir"}));
  EXPECT_EQ(error_for("mnist").find("variable"), std::string::npos);
  write_idx_set(folder_ / "system" / "fashion-mnist", fashion_labels, {1});
  EXPECT_TRUE(says(error_for("fashion-mnist"), {"was not found", "Install the Debian package"}));
  write_idx_set(folder_ / "chosen" / "mnist", mnist_labels, {1});
  EXPECT_TRUE(says(source_of("mnist"), {"chosen/mnist (--data-dir)"}));
}

TEST_F(LoadTest, TheCacheIsInTheHomeFolderWithoutXdg) {
  const Environment none("XDG_CACHE_HOME", "");
  const Environment home("HOME", folder_ / "home");
  EXPECT_TRUE(says(error_for("mnist"), {(folder_ / "home" / ".cache" / "vitcl").string()}));
}

TEST_F(LoadTest, FashionMnistIsFoundInTheSystemsFolder) {
  write_idx_set(folder_ / "system" / "fashion-mnist", fashion_labels, {1});
  const Dataset dataset = load_dataset("fashion-mnist", options_);
  EXPECT_EQ(dataset.name, "fashion-mnist");
  EXPECT_EQ(dataset.class_names.at(9), "Ankle boot");
  EXPECT_TRUE(says(dataset.source, {"the system's data sets"}));
}

TEST_F(LoadTest, OneSetIsNotTakenForTheOther) {
  write_idx_set(folder_ / "variable", mnist_labels, {1});
  EXPECT_TRUE(says(error_for("fashion-mnist"), {"variable ($VITCL_DATA_DIR), which holds another set"}));
  EXPECT_EQ(load_dataset("mnist", options_).name, "mnist");
}

TEST_F(LoadTest, AutoTakesTheFirstThereIsAndSaysWhy) {
  EXPECT_EQ(find_any_dataset(options_).name, "digits");
  EXPECT_TRUE(
      says(find_any_dataset(options_).reason, {"mnist was not found; fashion-mnist was not found; the built-in"}));
  write_idx_set(folder_ / "system" / "fashion-mnist", fashion_labels, {1});
  EXPECT_EQ(find_any_dataset(options_).name, "fashion-mnist");
  write_idx_set(folder_ / "variable", mnist_labels, {1});
  const Dataset dataset = load_dataset("auto", options_);
  EXPECT_EQ(dataset.name, "mnist");
  EXPECT_TRUE(says(dataset.source, {"mnist was found: IDX files in"}));
}

TEST_F(LoadTest, NormalisesAsAsked) {
  write_idx_set(folder_ / "variable" / "mnist", mnist_labels, {1});
  Dataset dataset = load_dataset("mnist", options_);
  EXPECT_EQ(dataset.mean, (std::vector<float>{0.1307F}));
  EXPECT_EQ(dataset.deviation, (std::vector<float>{0.3081F}));
  dataset = load_dataset((folder_ / "variable" / "mnist").string(), options_);
  EXPECT_FLOAT_EQ(dataset.mean.at(0), 4.0F / 255);  // images of 0, 1, ..., 8
  EXPECT_FLOAT_EQ(dataset.deviation.at(0), std::sqrt(60.0F / 9) / 255);
  options_.normalisation = Normalisation::unit;
  dataset = load_dataset("mnist", options_);
  EXPECT_EQ(dataset.mean, (std::vector<float>{0}));
  EXPECT_EQ(dataset.deviation, (std::vector<float>{1}));
}

TEST_F(LoadTest, HoldsOutAPartOfEachClassInPlaceOfTheTestImages) {
  write_idx_set(folder_ / "variable" / "mnist", mnist_labels, {1});  // images of 0, 1, ..., 8
  options_.val_split = 0.4;                                          // of three images of a 1 one; of a single one none
  const Dataset dataset = load_dataset("mnist", options_);
  EXPECT_EQ(dataset.test.labels, (std::vector<int32_t>{1}));
  EXPECT_EQ(dataset.test.pixels, std::vector<uint8_t>(dataset.test.image_bytes(), 3));
  EXPECT_EQ(dataset.train.labels, (std::vector<int32_t>{5, 0, 4, 9, 2, 1, 3, 1}));
  EXPECT_EQ(dataset.train.pixels.at(3 * dataset.train.image_bytes()), 4);
  EXPECT_EQ(load_dataset((folder_ / "variable" / "mnist").string(), options_).test, dataset.test);
  options_.train_samples = 1000;
  EXPECT_EQ(load_dataset("digits", options_).train.count, 600U);
}

TEST_F(LoadTest, AFolderHasAsManyClassesAsItsLabels) {
  write_idx_set("mine", {0, 2, 1, 2}, {1, 2});
  const Dataset dataset = load_dataset("./mine", options_);
  EXPECT_EQ(dataset.classes, 3U);
  EXPECT_EQ(dataset.class_names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(dataset.train.count, 4U);
  EXPECT_EQ(dataset.test.count, 2U);
  write_idx_set("mine", {0, 2, 1, 2}, {1, 3});
  EXPECT_TRUE(says(error_for("mine"), {"t10k-labels", "label 1 is 3", "classes 0 to 2"}));
  std::filesystem::create_directory("empty");
  EXPECT_TRUE(says(error_for("empty"), {"empty", "holds no data set", "IDX files"}));
  EXPECT_TRUE(says(error_for("imagenet"), {"\"imagenet\"", "auto, mnist, fashion-mnist, cifar10, cifar100, digits"}));
}

TEST_F(LoadTest, RefusesASetOfOneClass) {
  write_idx_set("mine", {2, 2, 2}, {0, 1});
  EXPECT_TRUE(says(error_for("mine"), {"mine", "one class, 2", "two classes"}));
  write_idx_set("data", {7}, {1});
  EXPECT_TRUE(says(error_for("mnist"), {"one class, 7"}));
}

TEST_F(LoadTest, RefusesSetsThatDoNotFitTogether) {
  write_idx_set("data", {5, 10}, {1});
  EXPECT_TRUE(says(error_for("mnist"), {"label 1 is 10", "0 to 9"}));
  write_idx_set("data", {5, 1}, {1});
  test::write_file("data/t10k-images-idx3-ubyte", test::idx_bytes(2051, {1, 2, 2}, {0, 0, 0, 0}));
  EXPECT_TRUE(says(error_for("mnist"), {"side of 3", "one of 2"}));
  std::filesystem::remove("data/t10k-images-idx3-ubyte");
  EXPECT_TRUE(says(error_for("mnist"), {"only a part"}));
}

TEST(Dataset, TheFingerprintFollowsEveryPart) {
  Dataset dataset;
  dataset.train = {2, 1, 1, {1, 2}, {0, 1}};
  dataset.test = {1, 1, 1, {3}, {0}};
  const std::string before = fingerprint(dataset);
  EXPECT_EQ(before.size(), 32U);
  EXPECT_EQ(fingerprint(dataset), before);
  Dataset other = dataset;
  other.train.pixels[1] = 9;
  EXPECT_NE(fingerprint(other), before);
  other = dataset;
  other.test.labels[0] = 1;
  EXPECT_NE(fingerprint(other), before);
  other = dataset;
  std::swap(other.train, other.test);
  EXPECT_NE(fingerprint(other), before);
}

TEST(Dataset, MeasuresEveryChannel) {
  Dataset dataset;
  dataset.train = {2, 2, 1, {0, 7, 255, 7}, {0, 0}};
  measure_normalisation(dataset);
  EXPECT_EQ(dataset.mean, (std::vector<float>{0.5F, 7.0F / 255}));
  EXPECT_EQ(dataset.deviation, (std::vector<float>{0.5F, 1}));
}

TEST(Mnist, TheRealFilesAreWhatTheyShouldBe) {
  VITCL_SKIP_WITHOUT(test::mnist_dir() / "train-images-idx3-ubyte.gz");
  LoadOptions options;
  options.data_dir = test::mnist_dir();
  Dataset dataset = load_dataset("mnist", options);
  EXPECT_EQ(dataset.train.count, 60000U);
  EXPECT_EQ(dataset.test.count, 10000U);
  EXPECT_EQ(dataset.train.side, 28U);
  measure_normalisation(dataset);
  EXPECT_NEAR(dataset.mean.at(0), 0.1307, 5e-5);
  EXPECT_NEAR(dataset.deviation.at(0), 0.3081, 5e-5);
}

}  // namespace
}  // namespace vitcl::data
