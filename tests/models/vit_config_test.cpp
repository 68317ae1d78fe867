#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "vitcl/backend/error.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::models {
namespace {

size_t parameter_count(const ViTConfig& config) {
  size_t count = 0;
  for (const auto& spec : vit_graph(config).parameters()) count += spec.trainable ? spec.shape.elements() : 0;
  return count;
}

TEST(ViTConfig, PresetsHaveTheKnownNumbersOfParameters) {
  EXPECT_EQ(parameter_count(preset("article")), 213642U);
  EXPECT_EQ(parameter_count(preset("compact")), 314002U);
  EXPECT_EQ(parameter_count(preset("tiny")), 5717416U);
  EXPECT_EQ(parameter_count(preset("small")), 22050664U);
  EXPECT_EQ(parameter_count(preset("base")), 86567656U);
  EXPECT_THROW(preset("huge"), UsageError);
}

TEST(ViTConfig, FixedPositionsAreNotTrained) {
  ViTConfig config;
  config.position = Position::sincos;
  EXPECT_EQ(parameter_count(config), 213642U - 17 * 64);
}

TEST(ViTConfig, SidesThatAreNoMultipleOfThePatchAreRoundedUp) {
  ViTConfig config;
  config.patch_size = 16;
  EXPECT_EQ(config.grid(), 2U);
  EXPECT_EQ(config.tokens(), 5U);
}

TEST(ViTConfig, JsonRoundTrips) {
  ViTConfig config = preset("tiny");
  config.stem = Stem::convolutions;
  config.stem_channels = 16;
  config.stem_depth = 2;
  config.position_std = 0.02F;
  config.pool = Pool::mean;
  config.pad_value = -0.42421296F;
  config.masked = true;
  EXPECT_EQ(vit_config_from_json(to_json(config)), config);
}

TEST(ViTConfig, FilesFromBeforeTheStemHavePatches) {
  std::string text = to_json({});
  for (const std::string key :
       {",\"stem\":\"patches\"", ",\"stem_channels\":32", ",\"stem_depth\":1", "\"position_std\":1.0,"}) {
    ASSERT_NE(text.find(key), std::string::npos) << text;
    text.erase(text.find(key), key.size());
  }
  EXPECT_EQ(vit_config_from_json(text), ViTConfig());
}

// 3 x 3 convolutions to 16, 16, 32, 32, 64 and 64 channels, with a bias each, and LayerNorm behind each but the last.
TEST(ViTConfig, AStemOfConvolutionsDoublesTheChannels) {
  ViTConfig config;
  config.patch_size = 8;
  const size_t patches = parameter_count(config);
  config.stem = Stem::convolutions;
  config.stem_channels = 16;
  config.stem_depth = 2;
  EXPECT_EQ(config.tokens(), 4U * 4 + 1);
  const size_t weights = 9 * (1 * 16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64), biases = 2 * (16 + 32 + 64);
  EXPECT_EQ(parameter_count(config) + 65 * 64, patches + weights + biases + 2 * (2 * 16 + 2 * 32 + 64));
}

TEST(ViTConfig, AStemHasNoMoreChannelsThanTokens) {
  ViTConfig config;
  config.patch_size = 16;
  config.stem = Stem::convolutions;
  config.stem_channels = 24;
  std::vector<size_t> channels;
  for (const StemConvolution& convolution : config.stem_convolutions()) channels.push_back(convolution.out);
  EXPECT_EQ(channels, (std::vector<size_t>{24, 48, 64, 64}));
}

TEST(ViTConfig, AStemOfConvolutionsNeedsAPowerOfTwo) {
  ViTConfig config;
  config.stem = Stem::convolutions;
  for (const size_t patch : {1, 7, 12}) {
    config.patch_size = patch;
    EXPECT_THROW(config.validate(), UsageError) << patch;
  }
  config.patch_size = 4;
  config.stem_depth = 0;
  EXPECT_THROW(config.validate(), UsageError);
}

TEST(ViTConfig, PositionsNeedAFiniteDeviation) {
  ViTConfig config;
  for (const float deviation : {-1.0F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    config.position_std = deviation;
    EXPECT_THROW(config.validate(), UsageError) << deviation;
  }
}

TEST(ViTConfig, BrokenJsonIsAnError) {
  EXPECT_THROW(vit_config_from_json("{"), StorageError);
  EXPECT_THROW(vit_config_from_json("{}"), StorageError);
  std::string text = to_json({});
  EXPECT_THROW(vit_config_from_json(text.replace(text.find("\"cls\""), 5, "\"max\"")), StorageError);
  text = to_json({});
  EXPECT_THROW(vit_config_from_json(text.insert(1, "\"extra\":1,")), StorageError);
  text = to_json({});
  const std::string deep = std::string(1000000, '[') + std::string(1000000, ']');
  EXPECT_THROW(vit_config_from_json(text.replace(text.find("\"cls\""), 5, deep)), StorageError);
}

TEST(ViTConfig, ImpossibleChoicesAreRefusedByName) {
  ViTConfig config;
  config.heads = 7;
  try {
    config.validate();
    FAIL() << "7 heads do not divide 64";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("7 heads do not divide dim 64"), std::string::npos) << error.what();
  }
  config = {};
  config.depth = 0;
  EXPECT_THROW(config.validate(), UsageError);
  config.depth = 1025;
  EXPECT_THROW(config.validate(), UsageError);
  config = {};
  config.mlp_dim = size_t{1} << 62;
  EXPECT_THROW(config.validate(), UsageError);
  config = {};
  config.class_token = false;
  EXPECT_THROW(config.validate(), UsageError);
  config = {};
  config.patch_size = 29;
  EXPECT_THROW(config.validate(), UsageError);
}

}  // namespace
}  // namespace vitcl::models
