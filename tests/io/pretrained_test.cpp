#include "vitcl/io/pretrained.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::io {
namespace {

using models::ViTConfig;
using test::error_of;
using test::says;

/// A small model that the dialect's own code computes alike.
ViTConfig model_of(Dialect dialect) {
  ViTConfig config;
  config.image_size = 6;
  config.patch_size = 2;
  config.classes = 3;
  config.dim = 4;
  config.depth = 2;
  config.heads = 2;
  config.mlp_dim = 5;
  if (dialect == Dialect::article) return config;
  config.channels = 2;
  config.head = models::Head::linear;
  config.scale = models::AttentionScale::head_dim;
  config.qkv_bias = true;
  config.final_norm = true;
  config.norm_epsilon = dialect == Dialect::hugging_face ? 1e-12F : 1e-6F;
  return config;
}

nn::NamedTensors numbered(const ViTConfig& config) {
  nn::NamedTensors tensors;
  float next = 1;
  for (const nn::ParameterSpec& spec : models::vit_graph(config).parameters())
    for (size_t i = 0; i < spec.shape.elements(); ++i) tensors[spec.name].push_back(next++);
  return tensors;
}

class Pretrained : public testing::Test {
 protected:
  /// Writes the dialect's model and reads its tensors back, for a test to spoil.
  SafeTensors written(Dialect dialect) {
    write_pretrained(file_, dialect, {.model = model_of(dialect), .parameters = numbered(model_of(dialect))});
    return read_safetensors(file_);
  }
  std::string refusal(const SafeTensors& contents) {
    write_safetensors(file_, contents);
    return error_of<StorageError>([&] { read_pretrained(file_, 2); });
  }
  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "model.safetensors";
};

constexpr Dialect dialects[] = {Dialect::article, Dialect::timm, Dialect::hugging_face, Dialect::torchvision};

TEST_F(Pretrained, ACheckpointOfOursMayHaveAStemOfConvolutions) {
  ViTConfig model = model_of(Dialect::article);
  model.stem = models::Stem::convolutions;
  model.stem_depth = 2;
  const nn::NamedTensors parameters = numbered(model);
  write_safetensors(file_, {export_parameters(model, Dialect::article, parameters),
                            {{"vitcl", "0.1.0"},
                             {"model", models::to_json(model)},
                             {"patch_mask", ""},
                             {"class_names", "[]"},
                             {"pixel_statistics", R"({"mean": [0], "deviation": [1]})"}}});
  const io::Pretrained read = read_pretrained(file_);
  EXPECT_EQ(read.model, model);
  EXPECT_EQ(read.parameters, parameters);
}

TEST_F(Pretrained, TellsTheDialectAndTheModelFromTheTensors) {
  for (const Dialect dialect : dialects) {
    SCOPED_TRACE(std::string(to_string(dialect)));
    written(dialect);
    const io::Pretrained weights = read_pretrained(file_, 2);
    EXPECT_EQ(weights.dialect, dialect);
    EXPECT_EQ(models::to_json(weights.model), models::to_json(model_of(dialect)));
    EXPECT_EQ(weights.parameters, numbered(model_of(dialect)));
  }
}

TEST_F(Pretrained, ReadsShardsThatAnIndexNames) {
  SafeTensors all = written(Dialect::hugging_face), second;
  second.tensors.insert(all.tensors.extract("classifier.weight"));
  write_safetensors(folder_ / "1.safetensors", all);
  write_safetensors(folder_ / "2.safetensors", second);
  nlohmann::json map;
  for (const auto& [name, tensor] : all.tensors) map[name] = "1.safetensors";
  const std::filesystem::path index = folder_ / "model.safetensors.index.json";
  const auto read_with_head_in = [&](const char* file) {
    map["classifier.weight"] = file;
    std::ofstream(index) << nlohmann::json{{"weight_map", map}};
    return read_pretrained(index).parameters;
  };
  EXPECT_EQ(read_with_head_in("2.safetensors"), numbered(model_of(Dialect::hugging_face)));
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_with_head_in("../2.safetensors"); }), {"no plain file name"}));
  EXPECT_TRUE(
      says(error_of<StorageError>([&] { read_with_head_in("1.safetensors"); }), {"lacks", "classifier.weight"}));
}

TEST_F(Pretrained, NamesWhatDoesNotFit) {
  SafeTensors contents = written(Dialect::timm);
  contents.tensors["blocks.0.ls1.gamma"] = contents.tensors.at("norm.weight");
  contents.tensors.erase("blocks.1.mlp.fc2.bias");
  EXPECT_TRUE(says(refusal(contents), {"timm", "missing: blocks.1.mlp.fc2.bias", "unknown: blocks.0.ls1.gamma"}));
  contents = written(Dialect::torchvision);
  contents.tensors.at("encoder.pos_embedding").shape = Shape{1, 5, 8};
  EXPECT_TRUE(says(refusal(contents), {"encoder.pos_embedding is F32 (1, 5, 8), wanted"}));
  contents.tensors.at("encoder.pos_embedding").shape = Shape{1, 8, 5};
  EXPECT_TRUE(says(refusal(contents), {"8 positions", "square grid"}));
  EXPECT_TRUE(says(refusal({{{"weight", contents.tensors.at("class_token")}}, {}}), {"none of the names", "weight"}));
}

TEST_F(Pretrained, AsksForWhatTensorsDoNotTell) {
  written(Dialect::timm);
  EXPECT_TRUE(says(error_of<UsageError>([&] { read_pretrained(file_); }), {"--heads"}));
  written(Dialect::hugging_face);
  std::ofstream(folder_ / "config.json") << R"({"num_attention_heads": 2, "hidden_act": "relu"})";
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file_); }), {"hidden_act", "relu", "gelu"}));
  std::filesystem::remove(folder_ / "config.json");
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file_); }), {"config.json"}));
}

TEST_F(Pretrained, ReadsTorchvisionsOldNames) {
  SafeTensors contents = written(Dialect::torchvision), old;
  for (auto& [name, tensor] : contents.tensors) {
    std::string renamed = name;
    for (const auto& [now, before] : {std::pair{".mlp.0.", ".mlp.linear_1."}, std::pair{".mlp.3.", ".mlp.linear_2."}})
      if (const size_t at = name.find(now); at != std::string::npos) renamed.replace(at, 7, before);
    old.tensors[renamed] = tensor;
  }
  ASSERT_TRUE(old.tensors.contains("encoder.layers.encoder_layer_1.mlp.linear_2.bias"));
  write_safetensors(file_, old);
  EXPECT_EQ(read_pretrained(file_, 2).parameters, numbered(model_of(Dialect::torchvision)));
  old.tensors["encoder.layers.encoder_layer_1.mlp.3.bias"] = old.tensors.at("class_token");
  EXPECT_TRUE(says(refusal(old), {"encoder.layers.encoder_layer_1.mlp.3.bias under two names"}));
}

TEST_F(Pretrained, ReadsBackbonesWithoutAClassifier) {
  for (const Dialect dialect : {Dialect::timm, Dialect::hugging_face, Dialect::torchvision}) {
    SafeTensors contents = written(dialect), backbone;
    for (auto& [name, tensor] : contents.tensors) {
      if (name.starts_with("head") || name.starts_with("classifier")) continue;
      backbone.tensors[name.starts_with("vit.") ? name.substr(4) : name] = tensor;
    }
    if (dialect == Dialect::hugging_face) backbone.tensors["pooler.dense.bias"] = backbone.tensors.at("layernorm.bias");
    write_safetensors(file_, backbone);
    const io::Pretrained weights = read_pretrained(file_, 2);
    EXPECT_EQ(weights.dialect, dialect);
    EXPECT_TRUE(weights.headless);
    nn::NamedTensors wanted = numbered(model_of(dialect));
    wanted.erase("head.weight");
    wanted.erase("head.bias");
    EXPECT_EQ(weights.parameters, wanted);
    EXPECT_TRUE(says(error_of<UsageError>([&] { write_pretrained(folder_ / "x", dialect, weights); }),
                     {"no classifier", "--initial-checkpoint"}));
    backbone.tensors["head.bias"] = backbone.tensors["classifier.bias"] = backbone.tensors["heads.head.bias"] =
        contents.tensors.begin()->second;
    EXPECT_TRUE(says(refusal(backbone), {"it lacks the tensor"}));
  }
}

TEST_F(Pretrained, TimmsConfigTellsHowItPools) {
  written(Dialect::timm);
  const auto pool = [&](const char* text) {
    std::ofstream(folder_ / "config.json") << text;
    return read_pretrained(file_, 2).model.pool;
  };
  EXPECT_EQ(pool(R"({"global_pool": "token"})"), models::Pool::cls);
  EXPECT_EQ(pool(R"({"global_pool": "avg"})"), models::Pool::mean);
  EXPECT_EQ(pool("{}"), models::Pool::cls);
  EXPECT_TRUE(says(error_of<StorageError>([&] { pool(R"({"global_pool": "map"})"); }), {"global_pool", "map"}));

  ViTConfig normalised_behind = model_of(Dialect::timm), without_class_token = normalised_behind;
  normalised_behind.pooled_norm = true;
  normalised_behind.final_norm = without_class_token.class_token = false;
  normalised_behind.pool = without_class_token.pool = models::Pool::mean;
  for (const ViTConfig& model : {normalised_behind, without_class_token}) {
    write_pretrained(file_, Dialect::timm, {.model = model, .parameters = numbered(model)});
    EXPECT_EQ(pool(R"({"global_pool": "avg"})"), models::Pool::mean);
    EXPECT_TRUE(says(error_of<StorageError>([&] { pool(R"({"global_pool": "token"})"); }), {"global_pool", "token"}));
  }
}

TEST_F(Pretrained, RefusesHostileJson) {
  const std::string open(1000000, '['), close(1000000, ']');
  const std::filesystem::path index = folder_ / "model.safetensors.index.json", config = folder_ / "config.json";
  std::ofstream(index) << open;
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(index); }), {"index.json", "no JSON object"}));
  std::ofstream(index) << R"({"weight_map": )" << open << close << "}";
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(index); }), {"no \"weight_map\""}));

  written(Dialect::timm);
  std::ofstream(config) << R"({"global_pool": )" << open << close << "}";
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file_, 2); }), {"\"global_pool\": array"}));
  std::filesystem::remove(config);
  written(Dialect::hugging_face);
  std::ofstream(config) << R"({"num_attention_heads": 2, "hidden_act": )" << open << close << "}";
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file_); }), {"\"hidden_act\": array"}));
  std::ofstream(config) << open;
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file_); }), {"config.json", "no JSON object"}));
  std::filesystem::resize_file(config, (size_t{1} << 26) + 1);
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file_); }), {"config.json", "more than"}));
}

TEST_F(Pretrained, RefusesPicklesWithTheWayOut) {
  for (const std::string first : {"PK\x03\x04rest", "\x80\x02rest"}) {
    const std::filesystem::path file = folder_ / "model.pth";
    std::ofstream(file) << first;
    EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file); }), {"model.pth", "pickle", "save_file"}));
    std::ofstream(folder_ / "index.json") << R"({"weight_map": {"a": "model.pth"}})";
    EXPECT_TRUE(
        says(error_of<StorageError>([&] { read_pretrained(folder_ / "index.json"); }), {"model.pth is a pickle"}));
  }
}

TEST_F(Pretrained, ReadsSafetensorsThatBeginLikeAPickle) {
  SafeTensors contents = written(Dialect::timm);
  const std::filesystem::path file = folder_ / "weights.bin";
  do {
    contents.metadata["filler"] += std::string(8, ' ');  // the header grows by steps of eight bytes
    write_safetensors(file, contents);
  } while (test::read_file(file).front() != 0x80);
  EXPECT_EQ(read_pretrained(file, 2).parameters, numbered(model_of(Dialect::timm)));
}

TEST_F(Pretrained, DoesNotWaitForPipes) {
  written(Dialect::hugging_face);
  const std::filesystem::path pipe = folder_ / "pipe", config = folder_ / "config.json";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(pipe); }), {"no regular file"}));
  std::filesystem::remove(config);
  ASSERT_EQ(mkfifo(config.c_str(), 0600), 0);
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_pretrained(file_); }), {"can't read", "config.json"}));
}

TEST_F(Pretrained, RefusesToWriteWhatWouldComputeOtherwise) {
  const auto refused = [&](Dialect dialect, const ViTConfig& model) {
    return error_of<UsageError>(
        [&] { write_pretrained(file_, dialect, {.model = model, .parameters = numbered(model)}); });
  };
  EXPECT_TRUE(says(refused(Dialect::timm, model_of(Dialect::article)), {"dim^-0.5"}));
  EXPECT_TRUE(says(refused(Dialect::article, model_of(Dialect::timm)), {"epsilon"}));
  EXPECT_TRUE(says(refused(Dialect::torchvision, model_of(Dialect::hugging_face)), {"epsilon"}));
  const ViTConfig model = model_of(Dialect::timm);
  EXPECT_TRUE(says(error_of<UsageError>([&] {
                     write_pretrained(file_, Dialect::timm,
                                      {.model = model, .parameters = numbered(model), .patch_mask = "101110011"});
                   }),
                   {"masked patches"}));
  EXPECT_EQ(folder_.entries(), 0U);
}

TEST_F(Pretrained, LeavesAnotherConfigJsonAlone) {
  written(Dialect::hugging_face);
  written(Dialect::hugging_face);  // over what it wrote itself
  const std::string theirs = R"({"num_attention_heads": 2, "their": "own"})";
  std::ofstream(folder_ / "config.json") << theirs;
  EXPECT_TRUE(says(error_of<UsageError>([&] { written(Dialect::hugging_face); }), {"config.json", "another folder"}));
  std::string kept;
  std::getline(std::ifstream(folder_ / "config.json"), kept);
  EXPECT_EQ(kept, theirs);
}

}  // namespace
}  // namespace vitcl::io
