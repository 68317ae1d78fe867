#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backend/json_text.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/models/vit.hpp"

namespace vitcl::models {

NLOHMANN_JSON_SERIALIZE_ENUM(Stem, {{Stem::patches, "patches"}, {Stem::convolutions, "convolutions"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Pool, {{Pool::cls, "cls"}, {Pool::mean, "mean"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Head, {{Head::linear, "linear"}, {Head::mlp, "mlp"}})
NLOHMANN_JSON_SERIALIZE_ENUM(AttentionScale, {{AttentionScale::dim, "dim"}, {AttentionScale::head_dim, "head_dim"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Position, {{Position::learned, "learned"}, {Position::sincos, "sincos"}})

namespace {

using nlohmann::json;

// Calls visit(key, field) for every field: the one list that writing and reading share.
template <class Config, class Visit>
void each_field(Config& c, Visit&& visit) {
  visit("image_size", c.image_size);
  visit("patch_size", c.patch_size);
  visit("stem", c.stem);
  visit("stem_channels", c.stem_channels);
  visit("stem_depth", c.stem_depth);
  visit("channels", c.channels);
  visit("classes", c.classes);
  visit("dim", c.dim);
  visit("depth", c.depth);
  visit("heads", c.heads);
  visit("mlp_dim", c.mlp_dim);
  visit("pool", c.pool);
  visit("class_token", c.class_token);
  visit("head", c.head);
  visit("scale", c.scale);
  visit("position", c.position);
  visit("position_std", c.position_std);
  visit("qkv_bias", c.qkv_bias);
  visit("final_norm", c.final_norm);
  visit("pooled_norm", c.pooled_norm);
  visit("norm_epsilon", c.norm_epsilon);
  visit("pad_value", c.pad_value);
  visit("masked", c.masked);
}

// timm's vit_{tiny,small,base}_patch16_224.
ViTConfig imagenet(size_t dim, size_t heads) {
  ViTConfig c;
  c.image_size = 224;
  c.patch_size = 16;
  c.channels = 3;
  c.classes = 1000;
  c.dim = dim;
  c.depth = 12;
  c.heads = heads;
  c.mlp_dim = 4 * dim;
  c.head = Head::linear;
  c.scale = AttentionScale::head_dim;
  c.qkv_bias = true;
  c.final_norm = true;
  c.norm_epsilon = 1e-6F;
  return c;
}

// For small images: six convolutions, down to 8 x 8 pixels a token. docs/training.md has what led to it.
ViTConfig compact() {
  ViTConfig c;
  c.patch_size = 8;
  c.stem = Stem::convolutions;
  c.stem_channels = 24;
  c.stem_depth = 2;
  c.dim = 96;
  c.depth = 2;
  c.heads = 4;
  c.mlp_dim = 192;
  c.pool = Pool::mean;
  c.class_token = false;
  c.head = Head::linear;
  c.scale = AttentionScale::head_dim;
  c.position_std = 0.02F;
  c.qkv_bias = true;
  c.final_norm = true;
  return c;
}

// What files that were written before the first release may lack; its default says what they mean.
bool is_new(std::string_view key) { return key.starts_with("stem") || key == "position_std"; }

// An enumeration's unknown text would silently become its first value.
template <class T>
T read_field(const json& value, const char* key) {
  T field = value.get<T>();
  if (std::is_enum_v<T> && json(field) != value) {
    throw StorageError(fmt::format("the model's {} is {}, which this version does not know", key, in_words(value)));
  }
  return field;
}

}  // namespace

std::vector<std::string> preset_names() { return {"article", "compact", "tiny", "small", "base"}; }

ViTConfig preset(const std::string& name) {
  if (name == "article") return {};
  if (name == "compact") return compact();
  if (name == "tiny") return imagenet(192, 3);
  if (name == "small") return imagenet(384, 6);
  if (name == "base") return imagenet(768, 12);
  throw UsageError(fmt::format("there is no model \"{}\"; there is {}", name, fmt::join(preset_names(), ", ")));
}

std::string to_json(const ViTConfig& config) {
  json out;
  each_field(config, [&](const char* key, const auto& field) { out[key] = field; });
  return out.dump();
}

ViTConfig vit_config_from_json(const std::string& text) {
  try {
    const json in = json::parse(text);
    ViTConfig config;
    size_t fields = 0;
    each_field(config, [&](const char* key, auto& field) {
      if (is_new(key) && !in.contains(key)) return;
      field = read_field<std::decay_t<decltype(field)>>(in.at(key), key);
      ++fields;
    });
    if (in.size() != fields) throw StorageError("the model's description has fields that this version does not know");
    return config;
  } catch (const json::exception& error) {
    throw StorageError(fmt::format("the model's description can't be read: {}", error.what()));
  }
}

}  // namespace vitcl::models
