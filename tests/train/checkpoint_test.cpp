#include "vitcl/train/checkpoint.hpp"

#include <functional>
#include <limits>

#include "example_checkpoint.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using train::Checkpoint;

Checkpoint example() { return example_checkpoint(); }

class CheckpointTest : public ::testing::Test {
 protected:
  fs::path path() const { return folder_ / "checkpoint.safetensors"; }
  void SetUp() override { train::save_checkpoint({path()}, example()); }
  /// The error of loading the file after `change` was made to its contents, by somebody who writes no checksums.
  std::string error_after(const std::function<void(io::SafeTensors&)>& change) {
    io::SafeTensors file = io::read_safetensors(path());
    file.metadata.erase("checksums");
    change(file);
    io::write_safetensors(path(), file);
    return error_of<StorageError>([&] { train::load_checkpoint(path()); });
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(CheckpointTest, ComesBackWhole) {
  const Checkpoint wanted = example(), got = train::load_checkpoint(path());
  EXPECT_EQ(got.model, wanted.model);
  EXPECT_EQ(got.parameters, wanted.parameters);
  EXPECT_EQ(got.exp_avg, wanted.exp_avg);
  EXPECT_EQ(got.exp_avg_sq, wanted.exp_avg_sq);
  EXPECT_EQ(got.position, wanted.position);
  EXPECT_EQ(got.pixel_statistics, wanted.pixel_statistics);
  EXPECT_EQ(got.patch_mask, wanted.patch_mask);
  EXPECT_EQ(got.class_names, wanted.class_names);
  EXPECT_EQ(got.data + got.data_fingerprint + got.device, wanted.data + wanted.data_fingerprint + wanted.device);
  EXPECT_EQ(got.seed, wanted.seed);
  EXPECT_EQ(got.batch_size, wanted.batch_size);
  EXPECT_EQ(got.lr, wanted.lr);
  EXPECT_EQ(got.border_brightness, wanted.border_brightness);
  EXPECT_EQ(got.config, wanted.config);
}

TEST_F(CheckpointTest, ReadsFilesOfEarlierVersions) {
  io::SafeTensors file = io::read_safetensors(path());
  for (const char* added : {"checksums", "config", "border_brightness"}) ASSERT_EQ(file.metadata.erase(added), 1U);
  io::write_safetensors(path(), file);
  EXPECT_EQ(train::load_checkpoint(path()).parameters, example().parameters);
}

// A changed bit is noticed. Where it hides the checksums themselves, everything else is what was written.
TEST_F(CheckpointTest, NoticesAnyChangedBit) {
  const std::vector<uint8_t> whole = read_file(path());
  constexpr size_t stride = 61;
  size_t noticed = 0, harmless = 0;
  for (size_t i = 0; i < whole.size(); i += stride) {
    std::vector<uint8_t> altered = whole;
    altered[i] = static_cast<uint8_t>(altered[i] ^ (1U << (i % 8)));
    write_file(path(), altered);
    try {
      const Checkpoint got = train::load_checkpoint(path());
      EXPECT_EQ(got.parameters, example().parameters) << i;
      EXPECT_EQ(got.exp_avg_sq, example().exp_avg_sq) << i;
      EXPECT_EQ(got.position, example().position) << i;
      ++harmless;
    } catch (const io::DamagedFile&) {
      ++noticed;
    }
  }
  EXPECT_GT(noticed, 100U);
  EXPECT_LE(harmless, 1U);
}

TEST_F(CheckpointTest, NamesTheTensorThatChanged) {
  const auto damage = [&](const std::function<void(io::SafeTensors&)>& change) {
    train::save_checkpoint({path()}, example());
    io::SafeTensors file = io::read_safetensors(path());
    change(file);
    io::write_safetensors(path(), file);
    return error_of<io::DamagedFile>([&] { train::load_checkpoint(path()); });
  };
  EXPECT_TRUE(says(damage([](auto& file) { file.tensors.at("cls_token").bytes[3] ^= 1; }),
                   {path().string(), "damaged", "cls_token", "checksum differs"}));
  EXPECT_TRUE(says(damage([](auto& file) {
                     file.tensors.at("pos_embedding").shape = Shape{5, 1, 8};
                   }),
                   {"pos_embedding", "checksum differs"}));
  EXPECT_TRUE(says(damage([](auto& file) { file.tensors.erase("cls_token"); }), {"cls_token is gone"}));
  EXPECT_TRUE(says(damage([](auto& file) { file.tensors["extra"] = file.tensors.at("cls_token"); }),
                   {"extra has no checksum"}));
  EXPECT_TRUE(says(damage([](auto& file) { file.metadata["step"] = "13"; }), {"its metadata", "checksum differs"}));
  EXPECT_TRUE(says(damage([](auto& file) { file.metadata["checksums"] = "[1]"; }), {"checksums", "malformed"}));
}

TEST_F(CheckpointTest, HoldsPyTorchsNamesAndShapes) {
  const io::HostTensors tensors = io::read_safetensors(path()).tensors;
  EXPECT_EQ(tensors.at("pos_embedding").shape, (Shape{1, 5, 8}));
  EXPECT_EQ(tensors.at("cls_token").shape, (Shape{1, 1, 8}));
  EXPECT_EQ(tensors.at("patch_to_embedding.weight").shape, (Shape{8, 16}));
  EXPECT_EQ(tensors.at("transformer.layers.1.0.fn.fn.to_qkv.weight").shape, (Shape{24, 8}));
  EXPECT_EQ(tensors.at("mlp_head.2.bias").shape, (Shape{3}));
  EXPECT_EQ(tensors.at("optimizer.exp_avg.cls_token").shape, (Shape{1, 1, 8}));
  EXPECT_EQ(tensors.at("optimizer.exp_avg_sq.mlp_head.0.weight").shape, (Shape{12, 8}));
}

TEST_F(CheckpointTest, EqualStatesGiveEqualBytes) {
  const std::vector<uint8_t> first = read_file(path());
  train::save_checkpoint({path()}, example());
  EXPECT_EQ(read_file(path()), first);
}

TEST_F(CheckpointTest, IsNotReplacedByABrokenState) {
  const std::vector<uint8_t> before = read_file(path());
  Checkpoint broken = example();
  broken.exp_avg_sq.at("head_up.bias")[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(says(error_of<NumericsError>([&] { train::save_checkpoint({path()}, broken); }),
                   {"step 12", "second moment", "head_up.bias", "nan"}));
  EXPECT_EQ(read_file(path()), before);
}

TEST_F(CheckpointTest, SaysWhatIsWrongWithAFile) {
  EXPECT_TRUE(says(error_after([](auto& file) { file.tensors.erase("cls_token"); }), {"cls_token", path().string()}));
  EXPECT_TRUE(says(error_after([](auto& file) { file.metadata["model"] = "{}"; }), {path().string()}));
  EXPECT_TRUE(says(error_after([](auto& file) { file.metadata.clear(); }), {"not a checkpoint of vitcl"}));
  fs::resize_file(path(), fs::file_size(path()) - 5);
  EXPECT_TRUE(says(error_of<StorageError>([&] { train::load_checkpoint(path()); }), {path().string()}));
  fs::remove(path());
  EXPECT_TRUE(says(error_of<StorageError>([&] { train::load_checkpoint(path()); }), {path().string()}));
}

TEST_F(CheckpointTest, RefusesNaN) {
  Checkpoint state = example();
  state.parameters.at("head_down.bias")[2] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(says(error_after([](io::SafeTensors& file) {
                     const std::vector<float> values = {0, 0, std::numeric_limits<float>::quiet_NaN()};
                     file.tensors["mlp_head.2.bias"] = io::HostTensor::from(Shape{3}, std::span<const float>(values));
                   }),
                   {path().string(), "head_down.bias", "nan"}));
}

TEST_F(CheckpointTest, RefusesMalformedMetadata) {
  for (const char* key : {"step", "pixel_statistics", "class_names"}) {
    EXPECT_TRUE(says(error_after([&](auto& file) { file.metadata[key] = "\"text\""; }), {key, "malformed"}));
    train::save_checkpoint({path()}, example());
  }
}

// What a file may say of its model must not overflow, loop or take the memory of a model that it does not hold.
TEST_F(CheckpointTest, RefusesModelsOfHostileSizes) {
  const std::string model = io::read_safetensors(path()).metadata.at("model");
  for (const char* field : {"image_size", "patch_size", "channels", "classes", "dim", "depth", "heads", "mlp_dim"}) {
    for (const char* size : {"0", "-1", "1025", "1048576", "4611686018427387904", "18446744073709551615", "1e300"}) {
      EXPECT_TRUE(says(error_after([&](auto& file) {
                         const size_t at = model.find(':', model.find(field)) + 1;
                         std::string& text = file.metadata["model"] = model;
                         text.replace(at, model.find_first_of(",}", at) - at, size);
                       }),
                       {path().string()}))
          << field << " " << size;
      train::save_checkpoint({path()}, example());
    }
  }
}

TEST_F(CheckpointTest, NamesTheFieldInWhichAnotherModelDiffers) {
  models::ViTConfig other = example().model;
  other.heads = 4;
  EXPECT_TRUE(says(error_of<StorageError>([&] { train::require_same_model(example(), other, "a/b"); }),
                   {"a/b", "heads", "2", "4"}));
}

}  // namespace
}  // namespace vitcl::test
