#include "vitcl/io/parameter_names.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::io {
namespace {

using models::AttentionScale;
using models::Head;
using models::Pool;
using models::ViTConfig;
using test::error_of;
using test::says;

/// A small model with two channels, so that the orders of a patch's elements differ.
ViTConfig article_model() {
  ViTConfig config;
  config.image_size = 6;
  config.patch_size = 2;
  config.channels = 2;
  config.classes = 3;
  config.dim = 4;
  config.depth = 2;
  config.heads = 2;
  config.mlp_dim = 5;
  return config;
}

ViTConfig timm_model() {
  ViTConfig config = article_model();
  config.head = Head::linear;
  config.scale = AttentionScale::head_dim;
  config.qkv_bias = true;
  config.final_norm = true;
  return config;
}

/// Every parameter of the model, each element with a number of its own.
nn::NamedTensors numbered(const ViTConfig& config) {
  nn::NamedTensors tensors;
  float next = 1;
  for (const nn::ParameterSpec& spec : models::vit_graph(config).parameters()) {
    std::vector<float>& values = tensors[spec.name];
    values.resize(spec.shape.elements());
    std::iota(values.begin(), values.end(), next);
    next += static_cast<float>(values.size());
  }
  return tensors;
}

std::vector<std::pair<Dialect, ViTConfig>> models_of_every_dialect() {
  std::vector<std::pair<Dialect, ViTConfig>> result;
  for (const bool cls : {true, false})
    for (const Head head : {Head::mlp, Head::linear})
      for (const size_t patch : {size_t{2}, size_t{4}}) {  // 4 does not divide 6: padded
        ViTConfig config = article_model();
        config.pool = cls ? Pool::cls : Pool::mean;
        config.class_token = cls;
        config.head = head;
        config.patch_size = patch;
        result.emplace_back(Dialect::article, config);
      }
  ViTConfig sincos = article_model();
  sincos.position = models::Position::sincos;
  result.emplace_back(Dialect::article, sincos);
  ViTConfig convolutions = article_model();
  convolutions.stem = models::Stem::convolutions;
  convolutions.stem_depth = 2;
  convolutions.patch_size = 4;
  result.emplace_back(Dialect::article, convolutions);
  result.emplace_back(Dialect::article, timm_model());  // the article's names hold every model
  result.emplace_back(Dialect::timm, timm_model());
  result.emplace_back(Dialect::hugging_face, timm_model());
  ViTConfig pooled = timm_model();
  pooled.pool = Pool::mean;
  pooled.final_norm = false;
  pooled.pooled_norm = true;
  result.emplace_back(Dialect::timm, pooled);
  result.emplace_back(Dialect::article, pooled);
  pooled.class_token = false;
  pooled.qkv_bias = false;
  result.emplace_back(Dialect::timm, pooled);
  ViTConfig one_head = timm_model();
  one_head.heads = 1;
  one_head.scale = AttentionScale::dim;  // the same as head_dim
  result.emplace_back(Dialect::timm, one_head);
  return result;
}

TEST(ParameterNames, ImportAndExportAreInverse) {
  for (const auto& [dialect, config] : models_of_every_dialect()) {
    SCOPED_TRACE(std::string(to_string(dialect)) + " " + models::to_json(config));
    const nn::NamedTensors tensors = numbered(config);
    const HostTensors exported = export_parameters(config, dialect, tensors);
    EXPECT_EQ(import_parameters(config, dialect, exported), tensors);
    EXPECT_EQ(export_parameters(config, dialect, import_parameters(config, dialect, exported)), exported);
  }
}

TEST(ParameterNames, TheArticlesNamesAndShapes) {
  const ViTConfig config;
  const HostTensors tensors = export_parameters(config, Dialect::article, numbered(config));
  size_t elements = 0;
  for (const auto& [name, tensor] : tensors) elements += tensor.shape.elements();
  EXPECT_EQ(elements, 213642U);
  EXPECT_EQ(tensors.at("pos_embedding").shape, (Shape{1, 17, 64}));
  EXPECT_EQ(tensors.at("cls_token").shape, (Shape{1, 1, 64}));
  EXPECT_EQ(tensors.at("patch_to_embedding.weight").shape, (Shape{64, 49}));
  EXPECT_EQ(tensors.at("transformer.layers.5.0.fn.fn.to_qkv.weight").shape, (Shape{192, 64}));
  EXPECT_EQ(tensors.at("transformer.layers.0.0.fn.fn.to_out.bias").shape, (Shape{64}));
  EXPECT_EQ(tensors.at("transformer.layers.0.1.fn.fn.net.0.weight").shape, (Shape{128, 64}));
  EXPECT_EQ(tensors.at("mlp_head.2.weight").shape, (Shape{10, 128}));
  EXPECT_FALSE(tensors.contains("transformer.layers.0.0.fn.fn.to_qkv.bias"));
}

TEST(ParameterNames, PatchWeightsBecomeConvolutions) {
  const ViTConfig config = timm_model();
  const nn::NamedTensors ours = numbered(config);
  const HostTensors theirs = export_parameters(config, Dialect::timm, ours);
  const HostTensor& convolution = theirs.at("patch_embed.proj.weight");
  EXPECT_EQ(convolution.shape, (Shape{4, 2, 2, 2}));
  const std::vector<float> values = to_floats(convolution, "");
  for (size_t row = 0; row < 4; ++row)
    for (size_t c = 0; c < 2; ++c)
      for (size_t y = 0; y < 2; ++y)
        for (size_t x = 0; x < 2; ++x)
          EXPECT_EQ(values[((row * 2 + c) * 2 + y) * 2 + x],
                    ours.at("patch_embedding.weight")[row * 8 + (y * 2 + x) * 2 + c]);
}

TEST(ParameterNames, HuggingFaceSplitsQueryKeyAndValue) {
  const ViTConfig config = timm_model();
  const nn::NamedTensors ours = numbered(config);
  const HostTensors theirs = export_parameters(config, Dialect::hugging_face, ours);
  std::vector<float> rows, biases;
  for (const char* part : {"query", "key", "value"}) {
    const std::string name = std::string("vit.encoder.layer.1.attention.attention.") + part;
    EXPECT_EQ(theirs.at(name + ".weight").shape, (Shape{4, 4}));
    for (const float value : to_floats(theirs.at(name + ".weight"), "")) rows.push_back(value);
    for (const float value : to_floats(theirs.at(name + ".bias"), "")) biases.push_back(value);
  }
  EXPECT_EQ(rows, ours.at("blocks.1.qkv.weight"));
  EXPECT_EQ(biases, ours.at("blocks.1.qkv.bias"));
}

TEST(ParameterNames, AcceptsAbsentLeadingOnesAndOtherFloatingTypes) {
  const ViTConfig config = article_model();
  HostTensors tensors = export_parameters(config, Dialect::article, numbered(config));
  tensors.at("pos_embedding").shape = Shape{10, 4};
  tensors.at("cls_token").shape = Shape{1, 4};
  HostTensor& bias = tensors.at("mlp_head.2.bias");
  const std::vector<float> values = to_floats(bias, "");
  bias = {StoredType::bf16, Shape{3}, {0x80, 0x3F, 0, 0x40, 0x40, 0x40}};
  const nn::NamedTensors imported = import_parameters(config, Dialect::article, tensors);
  EXPECT_EQ(imported.at("tokens.positions"), numbered(config).at("tokens.positions"));
  EXPECT_EQ(imported.at("head_down.bias"), (std::vector<float>{1, 2, 3}));
}

TEST(ParameterNames, OneErrorListsAllThatDoesNotFit) {
  const ViTConfig config = article_model();
  HostTensors tensors = export_parameters(config, Dialect::article, numbered(config));
  tensors.erase("cls_token");
  tensors.erase("mlp_head.0.bias");
  tensors["surplus"] = tensors.at("mlp_head.2.bias");
  tensors.at("pos_embedding").shape = Shape{1, 4, 10};
  tensors.at("patch_to_embedding.bias").type = StoredType::i32;
  EXPECT_TRUE(says(error_of<StorageError>([&] { import_parameters(config, Dialect::article, tensors); }),
                   {"article names", "2 missing: cls_token, mlp_head.0.bias", "1 unknown: surplus",
                    "pos_embedding is F32 (1, 4, 10), wanted F32 (1, 10, 4)", "patch_to_embedding.bias is I32"}));
  const std::string all_missing = error_of<StorageError>([&] { import_parameters(config, Dialect::article, {}); });
  for (const NamePair& name : parameter_names(config, Dialect::article)) EXPECT_TRUE(says(all_missing, {name.theirs}));

  nn::NamedTensors ours = numbered(config);
  ours.erase("head_up.bias");
  ours["surplus"] = {};
  ours.at("tokens.positions").pop_back();
  EXPECT_TRUE(says(error_of<StorageError>([&] { export_parameters(config, Dialect::article, ours); }),
                   {"missing: head_up.bias", "unknown: surplus", "tokens.positions has 39 elements, wanted (10, 4)"}));
}

TEST(ParameterNames, RefusesModelsThatADialectWouldComputeOtherwise) {
  const auto refusal = [](Dialect dialect, const ViTConfig& config) {
    return error_of<UsageError>([&] { export_parameters(config, dialect, {}); });
  };
  EXPECT_TRUE(says(refusal(Dialect::timm, article_model()), {"timm dialect", "dim^-0.5", "head_up.weight"}));
  ViTConfig padded = timm_model();
  padded.image_size = 7;
  EXPECT_TRUE(says(refusal(Dialect::timm, padded), {"does not pad"}));
  EXPECT_TRUE(says(refusal(Dialect::hugging_face, padded), {"does not pad"}));
  ViTConfig pooled = timm_model();
  pooled.pool = Pool::mean;
  pooled.pooled_norm = true;
  pooled.final_norm = false;
  EXPECT_TRUE(says(refusal(Dialect::hugging_face, pooled),
                   {"pools by the class token", "this model has none", "pooled_norm.weight"}));
}

}  // namespace
}  // namespace vitcl::io
