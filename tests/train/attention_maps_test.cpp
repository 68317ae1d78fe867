#include "vitcl/train/attention_maps.hpp"

#include <cmath>
#include <numeric>

#include "example_checkpoint.hpp"
#include "support/devices.hpp"
#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/ops/attention.hpp"
#include "vitcl/tensor/random.hpp"
#include "vitcl/train/predictor.hpp"

namespace vitcl::test {
namespace {

using train::AttentionMaps;

/// `depth` times the same block of one head: the class token looks at itself and at the one patch alike, the patch at
/// itself.
AttentionMaps two_tokens(size_t depth) {
  AttentionMaps maps{depth, 1, 2, 1, true, {}};
  for (size_t block = 0; block < depth; ++block)
    for (const float weight : {0.5F, 0.5F, 0.0F, 1.0F}) maps.weights.push_back(weight);
  return maps;
}

TEST(AttentionMaps, RolloutFollowsTheResidual) {
  // With the identity and scaled: (0.75 0.25; 0 1); squared: (0.5625 0.4375; 0 1).
  EXPECT_EQ(attention_rollout(two_tokens(1)), std::vector<float>{0.25F});
  EXPECT_EQ(attention_rollout(two_tokens(2)), std::vector<float>{0.4375F});
  EXPECT_EQ(head_map(two_tokens(2), 1, 0), std::vector<float>{0.5F});
}

TEST(AttentionMaps, RolloutGoesFromTheLastBlockToTheFirst) {
  const AttentionMaps maps{2,
                           1,
                           3,
                           1,
                           true,
                           {0, 1, 0, 0, 1, 0, 0, 0, 1,    // first: the class token looks at the first patch
                            1, 0, 0, 0, 0, 1, 0, 0, 1}};  // second: the first patch looks at the second
  EXPECT_EQ(attention_rollout(maps), (std::vector<float>{0.5F, 0}));
}

TEST(AttentionMaps, MeanPoolingTakesTheMeanOfThePatches) {
  AttentionMaps maps{1, 2, 2, 0, false, {0.5F, 0.5F, 0, 1, 1, 0, 0.5F, 0.5F}};
  EXPECT_EQ(head_map(maps, 0, 0), (std::vector<float>{0.25F, 0.75F}));
  EXPECT_EQ(head_map(maps, 0, 1), (std::vector<float>{0.75F, 0.25F}));
  EXPECT_EQ(attention_rollout(maps), (std::vector<float>{0.5F, 0.5F}));
}

class AttentionMapsTest : public DeviceTest {};

// Weights times values must be what the op computes.
TEST_P(AttentionMapsTest, WeightsAreTheOnesThatTheOpApplies) {
  constexpr size_t tokens = 5, heads = 2, width = 4, dim = heads * width;
  constexpr float scale = 0.5F;
  std::vector<float> qkv(tokens * 3 * dim);
  Random random(7);
  for (float& value : qkv) value = static_cast<float>(random.below(2000)) / 1000 - 1;
  const std::vector<uint8_t> mask = {1, 1, 0, 1, 1};
  const Tensor input = Tensor::empty(device(), {1, tokens, 3 * dim}), out = Tensor::empty(device(), {1, tokens, dim});
  const Tensor logsumexp = Tensor::empty(device(), {1, heads, tokens});
  const Tensor visible = Tensor::empty(device(), {1, tokens}, DType::u8);
  upload<float>(queue(), qkv, input);
  upload<uint8_t>(queue(), mask, visible);
  ops::attention_forward(queue(), input, {.heads = heads, .scale = scale, .mask = &visible}, out, logsumexp);
  const std::vector<float> computed = download<float>(queue(), out);
  const std::vector<float> weights = train::attention_weights(qkv, tokens, heads, scale, mask);
  for (size_t query = 0; query < tokens; ++query) {
    for (size_t column = 0; column < dim; ++column) {
      const float* row = weights.data() + (column / width * tokens + query) * tokens;
      double sum = 0;
      for (size_t key = 0; key < tokens; ++key)
        sum += static_cast<double>(row[key]) * static_cast<double>(qkv[key * 3 * dim + 2 * dim + column]);
      EXPECT_NEAR(sum, computed[query * dim + column], 1e-5) << query << " " << column;
    }
  }
}

TEST_P(AttentionMapsTest, EveryVisibleQuerySpreadsAWholeWeight) {
  train::Checkpoint checkpoint = example_checkpoint();
  size_t i = 0;
  for (auto& [name, values] : checkpoint.parameters)
    for (float& value : values) value = static_cast<float>(std::sin(static_cast<double>(++i)));
  train::Predictor predictor(device(), checkpoint, "", 3);
  const models::ViTConfig& model = checkpoint.model;
  std::vector<uint8_t> image(model.image_size * model.image_size);
  std::iota(image.begin(), image.end(), uint8_t{0});
  const AttentionMaps maps = predictor.attention(image);
  ASSERT_EQ(maps.weights.size(), model.depth * model.heads * model.tokens() * model.tokens());
  for (size_t row = 0; row < maps.weights.size() / maps.tokens; ++row) {
    const auto first = maps.weights.begin() + static_cast<std::ptrdiff_t>(row * maps.tokens);
    const bool hidden = row % maps.tokens == 1;  // the mask is 0111, behind the class token
    EXPECT_NEAR(std::accumulate(first, first + static_cast<std::ptrdiff_t>(maps.tokens), 0.0), hidden ? 0 : 1, 1e-5);
    EXPECT_EQ(first[1], 0) << "a hidden patch is seen";
  }
  image.push_back(0);
  EXPECT_THROW(predictor.attention(image), DataError);
}

TEST_P(AttentionMapsTest, ABatchPredictsWhatSingleImagesDo) {
  train::Checkpoint checkpoint = example_checkpoint();
  for (auto& [name, values] : checkpoint.parameters)
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(std::cos(static_cast<double>(7 * i)));
  const size_t bytes = checkpoint.model.image_size * checkpoint.model.image_size;
  std::vector<uint8_t> images(5 * bytes);
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<uint8_t>(i * i);
  train::Predictor batches(device(), checkpoint, "", 2), single(device(), checkpoint);
  const std::vector<float> all = batches.probabilities(images);
  ASSERT_EQ(all.size(), 5 * checkpoint.model.classes);
  for (size_t i = 0; i < 5; ++i) {
    const std::vector<float> one = single.probabilities(std::span(images).subspan(i * bytes, bytes));
    for (size_t c = 0; c < one.size(); ++c) EXPECT_NEAR(all[i * one.size() + c], one[c], 1e-5) << i << " " << c;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, AttentionMapsTest, all_devices(), device_name);

}  // namespace
}  // namespace vitcl::test
