#include "vitcl/data/idx.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "idx_files.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::data {
namespace {

using test::error_of;
using test::idx_bytes;
using test::says;

class IdxTest : public ::testing::Test {
 protected:
  IdxTest() {
    test::write_file(images_, good_images_);
    test::write_file(labels_, good_labels_);
  }
  std::string error_with_images(const std::vector<uint8_t>& bytes) {
    test::write_file(images_, bytes);
    return error_of<DataError>([&] { read_idx_split(images_, labels_); });
  }
  std::string error_with_labels(const std::vector<uint8_t>& bytes) {
    test::write_file(labels_, bytes);
    return error_of<DataError>([&] { read_idx_split(images_, labels_); });
  }

  const std::vector<uint8_t> good_images_ = idx_bytes(2051, {3, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255});
  const std::vector<uint8_t> good_labels_ = idx_bytes(2049, {3}, {7, 0, 9});
  test::TemporaryFolder folder_;
  std::filesystem::path images_ = folder_ / "images", labels_ = folder_ / "labels";
};

TEST_F(IdxTest, ReadsPlainAndGzip) {
  const Split wanted{3, 1, 2, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255}, {7, 0, 9}};
  EXPECT_EQ(read_idx_split(images_, labels_), wanted);
  test::write_gzip(images_, good_images_);
  test::write_gzip(labels_, good_labels_);
  EXPECT_EQ(read_idx_split(images_, labels_), wanted);
  EXPECT_EQ(first_idx_labels(labels_, 2), (std::vector<int32_t>{7, 0}));
  EXPECT_EQ(first_idx_labels(labels_, 20), wanted.labels);
}

TEST_F(IdxTest, NamesWhatIsWrongWithImages) {
  const std::vector<uint8_t> pixels(12);
  EXPECT_TRUE(says(error_with_images(good_labels_), {images_.string(), "magic number is 2049", "begin with 2051"}));
  EXPECT_TRUE(says(error_with_images({}), {images_.string(), "truncated within its header"}));
  EXPECT_TRUE(says(error_with_images({0, 0, 8}), {"truncated within its header"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {3}, {})), {"truncated within its header"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {4, 2, 2}, pixels)), {"12 bytes follow", "promises 16"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {2, 2, 2}, pixels)), {"goes on behind the 8 bytes"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {2, 2, 3}, pixels)), {"2 x 3, square"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {0, 2, 2}, {})), {"no images"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {3, 0, 0}, {})), {"0 x 0"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {~0U, ~0U, ~0U}, {})), {"4294967295 images", "8 GiB"}));
  EXPECT_TRUE(says(error_with_images(idx_bytes(2051, {1U << 31, 16, 16}, {})), {"8 GiB"}));
  std::filesystem::remove(images_);
  EXPECT_TRUE(says(error_of<DataError>([&] { read_idx_split(images_, labels_); }), {"missing"}));
  EXPECT_TRUE(says(error_of<DataError>([&] { read_idx_split(folder_.path(), labels_); }), {"no regular file"}));
}

TEST_F(IdxTest, NamesWhatIsWrongWithLabels) {
  EXPECT_TRUE(says(error_with_labels(good_images_), {labels_.string(), "2051", "begin with 2049"}));
  EXPECT_TRUE(says(error_with_labels(idx_bytes(2049, {2}, {1, 2})), {"2 labels", images_.string(), "3 images"}));
  EXPECT_TRUE(says(error_with_labels(idx_bytes(2049, {3}, {1, 2})), {"truncated"}));
  EXPECT_TRUE(says(error_with_labels(idx_bytes(2049, {3}, {1, 2, 3, 4})), {"goes on"}));
  const Split split{2, 1, 1, {0, 0}, {3, 10}};
  check_labels(split, 11, labels_);
  EXPECT_TRUE(says(error_of<DataError>([&] { check_labels(split, 10, labels_); }),
                   {labels_.string(), "label 1 is 10", "0 to 9"}));
}

TEST_F(IdxTest, BrokenGzipIsAnError) {
  test::write_gzip(images_, good_images_);
  std::vector<uint8_t> bytes = test::read_file(images_);
  std::vector<uint8_t> broken = bytes;
  broken[broken.size() - 6] ^= 1;  // the checksum
  EXPECT_TRUE(says(error_with_images(broken), {images_.string(), "gzip data is broken"}));
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_TRUE(
        says(error_with_images({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}), {images_.string()}))
        << size;
}

TEST_F(IdxTest, AGzipBombIsReadNoFurtherThanItsHeaderSays) {
  std::vector<uint8_t> bytes = good_images_;
  bytes.resize(64U << 20U);
  test::write_gzip(images_, bytes);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  bytes = {};
  EXPECT_TRUE(says(error_of<DataError>([&] { read_idx_split(images_, labels_); }), {"goes on behind the 12 bytes"}));
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 << 10) << "KiB of memory were taken";
}

TEST_F(IdxTest, SurvivesMutatedFiles) {
  Random random(99);
  for (int round = 0; round < 1000; ++round) {
    std::vector<uint8_t> mutated = good_images_;
    mutated.at(random.below(static_cast<uint32_t>(mutated.size()))) = static_cast<uint8_t>(random.next());
    if (random.below(4) == 0) mutated.resize(random.below(40));
    const std::string error = error_with_images(mutated);
    if (error == "no error") continue;
    ASSERT_TRUE(says(error, {"can't read the IDX file", folder_.path().string()})) << round;
  }
}

TEST_F(IdxTest, FindsBothSpellingsAndGzip) {
  EXPECT_FALSE(find_idx_files(folder_.path()));
  EXPECT_FALSE(find_idx_files(folder_ / "none"));
  for (const char* name : {"train-images-idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte.gz"})
    test::write_file(folder_ / name, good_images_);
  EXPECT_TRUE(says(error_of<DataError>([&] { find_idx_files(folder_.path()); }),
                   {folder_.path().string(), "only a part", "lacks t10k-labels-idx1-ubyte"}));
  test::write_file(folder_ / "t10k-labels-idx1-ubyte.gz", good_labels_);
  const std::optional<IdxFiles> files = find_idx_files(folder_.path());
  ASSERT_TRUE(files);
  EXPECT_EQ(files->train_images, folder_ / "train-images-idx3-ubyte");
  EXPECT_EQ(files->train_labels, folder_ / "train-labels.idx1-ubyte");
  EXPECT_EQ(files->test_images, folder_ / "t10k-images.idx3-ubyte.gz");
  EXPECT_EQ(files->test_labels, folder_ / "t10k-labels-idx1-ubyte.gz");
}

}  // namespace
}  // namespace vitcl::data
