#include "vitcl/io/bundle.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/errors.hpp"
#include "support/reference_data.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::io {
namespace {

using Json = nlohmann::json;
using models::AttentionScale;
using models::Head;
using models::Pool;
using test::error_of;
using test::says;

Json small_config(const std::string& family) {
  return {{"family", family}, {"image_size", 8}, {"patch_size", 4}, {"channels", 1}, {"classes", 3}, {"dim", 6},
          {"depth", 1},       {"heads", 2},      {"mlp_dim", 10},   {"batch", 2},    {"lr", 0.01},   {"offset", 5}};
}

HostTensor constant(const Shape& shape, float value) {
  return HostTensor::from(shape, std::span<const float>(std::vector<float>(shape.elements(), value)));
}

/// A bundle of `config` for the model that `model` describes, with constants for numbers.
SafeTensors bundle_file(const Json& config, Dialect dialect, const models::ViTConfig& model) {
  SafeTensors file;
  file.metadata["config"] = config.dump();
  nn::NamedTensors parameters;
  for (const auto& spec : models::vit_graph(model).parameters())
    parameters[spec.name].assign(spec.shape.elements(), 0.5F);
  for (const auto& [name, tensor] : export_parameters(model, dialect, parameters)) {
    file.tensors["param." + name] = tensor;
    file.tensors["grad." + name] = tensor;
    file.tensors["adam1." + name] = tensor;
  }
  file.tensors["input.images"] = constant({2, model.channels, model.image_size, model.image_size}, 0.25F);
  const std::vector<int32_t> labels{2, 0};
  file.tensors["input.labels"] = HostTensor::from({2}, std::span<const int32_t>(labels));
  file.tensors["output.logits"] = constant({2, model.classes}, 1);
  file.tensors["output.loss"] = constant({1}, 1.25F);
  file.tensors["output.losses"] = constant({5}, 1.125F);
  return file;
}

models::ViTConfig small_model() {
  models::ViTConfig model;
  model.image_size = 8;
  model.patch_size = 4;
  model.classes = 3;
  model.dim = 6;
  model.depth = 1;
  model.heads = 2;
  model.mlp_dim = 10;
  return model;
}

class BundleTest : public ::testing::Test {
 protected:
  Bundle read(const SafeTensors& file) {
    write_safetensors(path_, file);
    return read_bundle(path_);
  }
  std::string read_error(const SafeTensors& file) {
    return error_of<DataError>([&] { read(file); });
  }
  SafeTensors seed_file() { return bundle_file(small_config("seed"), Dialect::article, small_model()); }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "bundle.safetensors";
};

TEST_F(BundleTest, DefaultsOfTheArticlesFamily) {
  const Bundle bundle = read(seed_file());
  EXPECT_EQ(bundle.dialect, Dialect::article);
  EXPECT_EQ(bundle.config.pool, Pool::cls);
  EXPECT_TRUE(bundle.config.class_token);
  EXPECT_EQ(bundle.config.head, Head::mlp);
  EXPECT_EQ(bundle.config.scale, AttentionScale::dim);
  EXPECT_FALSE(bundle.config.qkv_bias || bundle.config.final_norm || bundle.config.pooled_norm || bundle.config.masked);
  EXPECT_EQ(bundle.config.norm_epsilon, 1e-5F);
  EXPECT_FLOAT_EQ(bundle.config.pad_value, -0.42421293F);
  EXPECT_EQ(bundle.lr, 0.01F);
  EXPECT_EQ(bundle.label_smoothing, 0.0F);
  EXPECT_EQ(bundle.batch, 2U);
  EXPECT_EQ(bundle.labels, (std::vector<int32_t>{2, 0}));
  EXPECT_EQ(bundle.images.size(), 128U);
  EXPECT_TRUE(bundle.mask.empty());
  EXPECT_EQ(bundle.loss, 1.25F);
  EXPECT_EQ(bundle.losses[4], 1.125F);
  EXPECT_TRUE(bundle.gradients.contains("pos_embedding"));

  Json config = small_config("seed");
  config.erase("lr");
  SafeTensors file = seed_file();
  file.metadata["config"] = config.dump();
  EXPECT_EQ(read(file).lr, 0.003F);
}

TEST_F(BundleTest, ChoicesOfTheArticlesFamily) {
  Json config = small_config("seed");
  config.update({{"pool", "mean"},
                 {"head", "linear"},
                 {"scale", "head_dim"},
                 {"masked", true},
                 {"edge_masks", true},
                 {"label_smoothing", 0.1},
                 {"pad_value", -1},
                 {"image_size", 9},
                 {"channels", 3}});
  models::ViTConfig model = small_model();
  model.image_size = 9;
  model.channels = 3;
  model.pool = Pool::mean;
  model.class_token = false;
  model.head = Head::linear;
  SafeTensors file = bundle_file(config, Dialect::article, model);
  EXPECT_TRUE(says(read_error(file), {"lacks the tensor input.mask"}));
  std::vector<uint8_t> mask(18, 1);
  mask[3] = 0;
  file.tensors["input.mask"] = HostTensor::from({2, 9}, std::span<const uint8_t>(mask));
  const Bundle bundle = read(file);
  EXPECT_EQ(bundle.config.patches(), 9U);  // 9 pixels are padded to 12
  EXPECT_FALSE(bundle.config.class_token);
  EXPECT_EQ(bundle.config.scale, AttentionScale::head_dim);
  EXPECT_EQ(bundle.config.pad_value, -1.0F);
  EXPECT_FLOAT_EQ(bundle.label_smoothing, 0.1F);
  EXPECT_EQ(bundle.mask, mask);
  file.tensors.at("input.mask").bytes[0] = 2;
  EXPECT_TRUE(says(read_error(file), {"other values than 0 and 1"}));
}

TEST_F(BundleTest, TimmAndHuggingFace) {
  models::ViTConfig model = small_model();
  model.head = Head::linear;
  model.scale = AttentionScale::head_dim;
  model.qkv_bias = true;
  model.final_norm = true;
  Bundle bundle = read(bundle_file(small_config("timm"), Dialect::timm, model));
  EXPECT_EQ(bundle.config.norm_epsilon, 1e-6F);
  model.norm_epsilon = bundle.config.norm_epsilon;
  model.pad_value = bundle.config.pad_value;
  EXPECT_EQ(bundle.config, model);

  bundle = read(bundle_file(small_config("hf"), Dialect::hugging_face, model));
  EXPECT_EQ(bundle.config.norm_epsilon, 1e-12F);
  model.norm_epsilon = bundle.config.norm_epsilon;
  EXPECT_EQ(bundle.config, model);

  Json config = small_config("timm");
  config["pool"] = "avg";
  model.pool = Pool::mean;
  model.final_norm = false;
  model.pooled_norm = true;
  model.norm_epsilon = 1e-6F;
  EXPECT_EQ(read(bundle_file(config, Dialect::timm, model)).config, model);
}

TEST_F(BundleTest, DeepJsonIsRefused) {
  SafeTensors file = seed_file();
  std::string text = small_config("seed").dump();
  const std::string dim = "\"dim\":";
  text.replace(text.find(dim), dim.size() + 1, dim + std::string(1000000, '[') + std::string(1000000, ']'));
  file.metadata["config"] = text;
  EXPECT_TRUE(says(read_error(file), {"\"dim\": array", "a whole number"}));
}

TEST_F(BundleTest, NamesEveryInconsistency) {
  const auto with_config = [&](const char* key, const Json& value) {
    SafeTensors file = seed_file();
    Json config = small_config("seed");
    value.is_discarded() ? void(config.erase(key)) : void(config[key] = value);
    file.metadata["config"] = config.dump();
    return read_error(file);
  };
  const Json absent(Json::value_t::discarded);
  EXPECT_TRUE(says(with_config("family", absent), {path_.string(), "lacks \"family\""}));
  EXPECT_TRUE(says(with_config("family", "resnet"), {"\"resnet\"", "one of seed, timm, hf"}));
  EXPECT_TRUE(says(with_config("dim", absent), {"lacks \"dim\""}));
  EXPECT_TRUE(says(with_config("dim", "big"), {"\"dim\": \"big\"", "a whole number from 1"}));
  EXPECT_TRUE(says(with_config("dim", 0), {"\"dim\": 0"}));
  EXPECT_TRUE(says(with_config("dim", -3), {"\"dim\": -3"}));
  EXPECT_TRUE(says(with_config("depth", 1000000000), {"\"depth\""}));
  EXPECT_TRUE(says(with_config("depth", 2), {"missing: transformer.layers.1"}));
  EXPECT_TRUE(says(with_config("heads", 4), {"can't use", "4"}));  // does not divide 6
  EXPECT_TRUE(says(with_config("pool", "max"), {"one of cls, mean"}));
  EXPECT_TRUE(says(with_config("masked", 1), {"true or false"}));
  EXPECT_TRUE(says(with_config("lr", "fast"), {"a number"}));
  EXPECT_TRUE(says(with_config("batch", 3), {"input.images is (2, 1, 8, 8)", "(3, 1, 8, 8)"}));
  EXPECT_TRUE(says(with_config("classes", 2), {"its label 2 is not in 0 to 1"}));

  const auto changed = [&](const std::string& name, const HostTensor& tensor) {
    SafeTensors file = seed_file();
    file.tensors[name] = tensor;
    return read_error(file);
  };
  EXPECT_TRUE(says(changed("output.loss", constant({2}, 0)), {"output.loss is (2)"}));
  EXPECT_TRUE(says(changed("input.labels", constant({2}, 0)), {"input.labels is stored as F32"}));
  EXPECT_TRUE(says(changed("grad.extra", constant({2}, 0)), {"grad.*", "unknown: extra"}));
  EXPECT_TRUE(says(changed("adam1.cls_token", constant({1, 1, 6}, NAN)), {"adam1.*", "holds nan"}));
  EXPECT_TRUE(says(changed("input.images", constant({2, 1, 8, 8}, INFINITY)), {"holds inf", "input.images"}));
}

TEST_F(BundleTest, RefusesOtherFiles) {
  EXPECT_TRUE(says(error_of<DataError>([&] { read_bundle(path_); }), {path_.string(), "no such file"}));
  EXPECT_TRUE(says(read_error({}), {"no reference bundle"}));
  EXPECT_TRUE(says(read_error({{}, {{"config", "[1]"}}}), {"no JSON object"}));
  EXPECT_TRUE(says(read_error({{}, {{"config", "{"}}}), {"no JSON object"}));
  test::write_file(path_, std::vector<uint8_t>(5));
  EXPECT_TRUE(says(error_of<DataError>([&] { read_bundle(path_); }), {"can't use", "it has 5 bytes"}));
}

// The converters must reproduce every tensor of the real bundles, name, shape and bits.
TEST(ReferenceBundles, ReadAndReproduced) {
  VITCL_SKIP_WITHOUT(test::reference_dir());
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::reference_dir())) {
    if (entry.path().extension() != ".safetensors") continue;
    SCOPED_TRACE(entry.path().string());
    const Bundle bundle = read_bundle(entry.path());
    for (const HostTensors* tensors : {&bundle.parameters, &bundle.gradients, &bundle.adam1})
      EXPECT_EQ(
          export_parameters(bundle.config, bundle.dialect, import_parameters(bundle.config, bundle.dialect, *tensors)),
          *tensors);
    EXPECT_EQ(bundle.mask.empty(), !bundle.config.masked);
    ++count;
  }
  EXPECT_GT(count, 0U);
}

}  // namespace
}  // namespace vitcl::io
