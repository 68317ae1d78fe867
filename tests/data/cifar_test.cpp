#include "vitcl/data/cifar.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "cifar_files.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/load.hpp"

namespace vitcl::data {
namespace {

using test::cifar_records;
using test::error_of;
using test::says;
using test::write_cifar10;

class CifarTest : public ::testing::Test {
 protected:
  Dataset load(const std::string& name) {
    LoadOptions options;
    options.data_dir = folder_.path();
    return load_dataset(name, options);
  }
  std::string error_for(const std::string& name) {
    return error_of<DataError>([&] { load(name); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(CifarTest, ReadsTheTenClassesInTheFilesOrder) {
  write_cifar10(folder_ / "cifar-10-batches-bin");
  const Dataset dataset = load("cifar10");
  EXPECT_EQ(dataset.name, "cifar10");
  EXPECT_EQ(dataset.classes, 10U);
  EXPECT_EQ(dataset.class_names.at(9), "truck");
  EXPECT_EQ(dataset.train.count, 10U);
  EXPECT_EQ(dataset.train.channels, 3U);
  EXPECT_EQ(dataset.train.side, 32U);
  EXPECT_EQ(dataset.train.labels, (std::vector<int32_t>{1, 2, 2, 3, 3, 4, 4, 5, 5, 6}));
  EXPECT_EQ(dataset.test.labels, (std::vector<int32_t>{9, 0}));
  // A record's planes are filled with label, label + 100 and label + 200.
  EXPECT_EQ(dataset.train.pixels.at(0), 1);
  EXPECT_EQ(dataset.train.pixels.at(1024), 101);
  EXPECT_EQ(dataset.train.pixels.at(3 * 1024 + 2 * 1024), 202);
  EXPECT_EQ(dataset.mean.size(), 3U);
  EXPECT_NEAR(dataset.mean.at(2) - dataset.mean.at(0), 200.0 / 255, 1e-6);
}

TEST_F(CifarTest, ReadsTheFineLabelsOfAHundredClasses) {
  std::filesystem::create_directory(folder_ / "cifar100");
  test::write_file(folder_ / "cifar100" / "train.bin", cifar_records({{19, 99}, {3, 0}}));
  test::write_file(folder_ / "cifar100" / "test.bin", cifar_records({{4, 42}}));
  Dataset dataset = load("cifar100");
  EXPECT_EQ(dataset.classes, 100U);
  EXPECT_EQ(dataset.train.labels, (std::vector<int32_t>{99, 0}));
  EXPECT_EQ(dataset.test.labels, (std::vector<int32_t>{42}));
  EXPECT_EQ(dataset.class_names.at(99), "99");
  std::ofstream names(folder_ / "cifar100" / "fine_label_names.txt");
  for (int label = 0; label < 100; ++label) names << "class " << label << "\n";
  names.close();
  dataset = load((folder_ / "cifar100").string());
  EXPECT_EQ(dataset.class_names.at(99), "class 99");
  EXPECT_EQ(known_shape("cifar100")->classes, 100U);
}

TEST_F(CifarTest, NamesWhatIsMissingOrBroken) {
  EXPECT_TRUE(says(error_for("cifar10"), {"cifar10 was not found", "cifar-10-binary.tar.gz", "cifar-10-batches-bin"}));
  write_cifar10(folder_ / "cifar10");
  std::filesystem::remove(folder_ / "cifar10" / "data_batch_3.bin");
  EXPECT_TRUE(says(error_for("cifar10"), {"only a part", "data_batch_3.bin"}));
  std::vector<uint8_t> records = cifar_records({{1}, {2}});
  records.pop_back();
  test::write_file(folder_ / "cifar10" / "data_batch_3.bin", records);
  EXPECT_TRUE(says(error_for("cifar10"), {"data_batch_3.bin", "6145 bytes", "3073", "cut off"}));
  test::write_file(folder_ / "cifar10" / "data_batch_3.bin", cifar_records({{1}, {10}}));
  EXPECT_TRUE(says(error_for("cifar10"), {"data_batch_3.bin", "record 1", "label 10", "0 to 9"}));
  test::write_file(folder_ / "cifar10" / "data_batch_3.bin", {});
  EXPECT_TRUE(says(error_for("cifar10"), {"data_batch_3.bin", "0 bytes"}));
}

}  // namespace
}  // namespace vitcl::data
