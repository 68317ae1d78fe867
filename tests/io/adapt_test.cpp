#include "vitcl/io/adapt.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace vitcl::io {
namespace {

using models::ViTConfig;
using Floats = std::vector<float>;
using Texts = std::vector<std::string>;

/// sin(1), sin(4), sin(9), ...
Floats waves(size_t count) {
  Floats values;
  for (size_t i = 1; i <= count; ++i) values.push_back(static_cast<float>(std::sin(static_cast<double>(i * i))));
  return values;
}

void expect_near(const Floats& got, const Floats& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  // PyTorch interpolates in float32, in two passes of at most 16 terms below 1.
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-6) << i;
}

// Wanted: timm 1.0.31's resample_abs_pos_embed on PyTorch 2.15.
TEST(ResizedPositions, AreThoseOfTimm) {
  expect_near(resized_positions(waves(10), 1, 1, 3, 5),
              {0.84147096F,  -0.90370458F,  -0.30640453F, 0.51807296F,  0.08661069F,   -0.29468623F, -0.62176073F,
               -0.39367008F, -0.096497335F, -0.36353514F, -0.57506329F, -0.067489356F, -0.43549529F, -0.99177885F,
               -1.005572F,   -0.95088273F,  0.68441993F,  0.082665041F, -0.81968081F,  -0.80011868F, -0.68354565F,
               1.1203583F,   0.43172625F,   -0.60257548F, -0.58992124F, -0.46279114F});
  expect_near(resized_positions(waves(25), 0, 1, 5, 3),
              {-0.32590503F, 0.06663125F, -0.33963129F, -0.2271539F, -0.12763928F, -0.27246755F, 0.14262718F,
               0.14214258F, -0.32351881F});
  expect_near(resized_positions(waves(50), 1, 1, 7, 2),
              {0.84147096F, -0.18228638F, -0.14672759F, -0.091444127F, -0.15131038F});
  expect_near(resized_positions(waves(16), 0, 1, 4, 1), {-0.20739219F});
}

TEST(ResizedPositions, TreatEachColumnAlike) {
  Floats two_columns;
  for (const float value : waves(10)) two_columns.insert(two_columns.end(), {value, -2 * value});
  const Floats one = resized_positions(waves(10), 1, 1, 3, 5), two = resized_positions(two_columns, 1, 2, 3, 5);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_FLOAT_EQ(two[2 * i + 1], -2 * one[i]);
}

class Adapt : public testing::Test {
 protected:
  void SetUp() override {
    for (const nn::ParameterSpec& spec : models::vit_graph(weights_.model).parameters())
      weights_.parameters[spec.name] = waves(spec.shape.elements());
  }
  Adapted adapted(const ViTConfig& model, const Texts& classes = {}) { return adapt(weights_, model, classes); }
  static void expect_shapes(const Adapted& adapted, const ViTConfig& model) {
    for (const nn::ParameterSpec& spec : models::vit_graph(model).parameters()) {
      const auto found = adapted.parameters.find(spec.name);
      if (found == adapted.parameters.end()) continue;
      EXPECT_EQ(found->second.size(), spec.shape.elements()) << spec.name;
    }
  }
  io::Pretrained weights_{
      .model = {.image_size = 6, .patch_size = 2, .channels = 3, .classes = 4, .dim = 4, .depth = 1, .heads = 2}};
};

TEST_F(Adapt, LeavesWhatFits) {
  const Adapted same = adapted(weights_.model, {"a", "b", "c", "d"});
  EXPECT_EQ(same.parameters, weights_.parameters);
  EXPECT_EQ(same.changes, Texts());
}

TEST_F(Adapt, ResizesOrDropsPositions) {
  ViTConfig model = weights_.model;
  model.image_size = 9;  // padded to five patches
  const Adapted resized = adapted(model);
  expect_shapes(resized, model);
  EXPECT_EQ(resized.changes, Texts{"positions resized from 3 x 3 to 5 x 5 patches"});
  weights_.model.position = model.position = models::Position::sincos;
  EXPECT_FALSE(adapted(model).parameters.contains("tokens.positions"));
}

TEST_F(Adapt, SumsAndSpreadsChannels) {
  ViTConfig model = weights_.model;
  Floats& weights = weights_.parameters.at("patch_embedding.weight");
  weights.assign(weights.size(), 1);
  weights[0] = 2, weights[1] = 3, weights[2] = 4;
  model.channels = 1;
  const Adapted grey = adapted(model);
  expect_shapes(grey, model);
  EXPECT_EQ(grey.parameters.at("patch_embedding.weight")[0], 9);
  EXPECT_EQ(grey.parameters.at("patch_embedding.weight")[1], 3);
  model.channels = 4;
  const Floats four = adapted(model).parameters.at("patch_embedding.weight");
  EXPECT_EQ(Floats(four.begin(), four.begin() + 5), (Floats{1.5, 2.25, 3, 1.5, 0.75}));
  weights_.model.channels = 1;
  weights = {3, 6, 9, 12};
  model.channels = 3;
  const Floats colour = adapted(model).parameters.at("patch_embedding.weight");
  EXPECT_EQ(colour, (Floats{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4}));
}

TEST_F(Adapt, SumsTheChannelsOfAStemOfConvolutions) {
  weights_.model.stem = models::Stem::convolutions;
  weights_.parameters.erase("patch_embedding.weight");
  weights_.parameters["stem.0.weight"].assign(4 * 9 * 3, 1);
  ViTConfig model = weights_.model;
  model.channels = 1;
  EXPECT_EQ(adapted(model).parameters.at("stem.0.weight"), Floats(4 * 9, 3));
}

TEST_F(Adapt, KeepsTheHeadForTheSameClassesOnly) {
  ViTConfig model = weights_.model;
  weights_.class_names = {"a", "b", "c", "d"};
  EXPECT_TRUE(adapted(model).parameters.contains("head_down.weight"));
  EXPECT_EQ(adapted(model, {"e", "f", "g", "h"}).changes, Texts{"a new head, for other classes"});
  model.classes = 2;
  const Adapted fewer = adapted(model);
  EXPECT_EQ(fewer.changes, Texts{"a new head, for 2 classes instead of 4"});
  for (const char* name : {"head_up.weight", "head_up.bias", "head_down.weight", "head_down.bias"})
    EXPECT_FALSE(fewer.parameters.contains(name)) << name;
  EXPECT_EQ(fewer.parameters.size(), weights_.parameters.size() - 4);
}

TEST_F(Adapt, ABackboneGetsANewHeadForAnyNumberOfClasses) {
  weights_.headless = true;
  weights_.model.classes = 1;
  std::erase_if(weights_.parameters, [](const auto& entry) { return entry.first.starts_with("head"); });
  ViTConfig model = weights_.model;
  for (const size_t classes : {1U, 5U}) {
    model.classes = classes;
    const Adapted completed = adapted(model);
    EXPECT_EQ(completed.parameters, weights_.parameters);
    EXPECT_EQ(completed.changes, Texts{"a new head, for " + std::to_string(classes) + " classes; the file has none"});
  }
}

}  // namespace
}  // namespace vitcl::io
