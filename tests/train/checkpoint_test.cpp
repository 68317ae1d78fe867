#include "vitcl/train/checkpoint.hpp"

#include <limits>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using train::Checkpoint;

nn::NamedTensors numbered(const models::ViTConfig& model, float first) {
  nn::NamedTensors tensors;
  for (const nn::ParameterSpec& spec : models::vit_graph(model).parameters()) {
    std::vector<float>& values = tensors[spec.name];
    for (size_t i = 0; i < spec.shape.elements(); ++i) values.push_back(first += 0.125F);
  }
  return tensors;
}

Checkpoint example() {
  const models::ViTConfig model{.image_size = 8,
                                .patch_size = 4,
                                .classes = 3,
                                .dim = 8,
                                .depth = 2,
                                .heads = 2,
                                .mlp_dim = 12,
                                .pad_value = -0.4242F};
  return {.model = model,
          .parameters = numbered(model, 0),
          .exp_avg = numbered(model, 1),
          .exp_avg_sq = numbered(model, 2),
          .position = {.step = 12, .epochs = 3, .epoch_loss = 0.1 + 0.2, .best_accuracy = 0.9, .best_epoch = 2},
          .pixel_statistics = {.mean = {0.1307F}, .deviation = {0.3081F}},
          .patch_mask = "0111",
          .class_names = {"a", "b", "c"},
          .data = "quarters",
          .data_fingerprint = "0123",
          .device = "a device",
          .seed = 18446744073709551615U,
          .batch_size = 8,
          .lr = 0.003};
}

class CheckpointTest : public ::testing::Test {
 protected:
  fs::path path() const { return folder_ / "checkpoint.safetensors"; }
  void SetUp() override { train::save_checkpoint({path()}, example()); }
  /// The error of loading the file after `change` was made to its contents.
  std::string error_after(const std::function<void(io::SafeTensors&)>& change) {
    io::SafeTensors file = io::read_safetensors(path());
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

TEST_F(CheckpointTest, NamesTheFieldInWhichAnotherModelDiffers) {
  models::ViTConfig other = example().model;
  other.heads = 4;
  EXPECT_TRUE(says(error_of<StorageError>([&] { train::require_same_model(example(), other, "a/b"); }),
                   {"a/b", "heads", "2", "4"}));
}

}  // namespace
}  // namespace vitcl::test
