#include "vitcl/io/pretrained.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "backend/json_text.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/io/checksums.hpp"
#include "vitcl/io/safetensors.hpp"
#include "vitcl/tensor/square.hpp"

namespace vitcl::io {
namespace {

using models::AttentionScale;
using models::Head;
using models::Pool;
using models::ViTConfig;
using Json = nlohmann::json;
namespace fs = std::filesystem;

/// What tells a dialect, and where its tensors show the model's sizes.
struct Signs {
  Dialect dialect;
  const char *patch, *positions, *class_token, *block, *mlp_up, *qkv_bias, *final_norm, *pooled_norm, *head;
  float norm_epsilon;
};
// A block's tensors are named from block 0.
constexpr Signs all_signs[] = {
    {Dialect::article, "patch_to_embedding.weight", "pos_embedding", "cls_token", "transformer.layers.",
     "0.1.fn.fn.net.0.weight", "0.0.fn.fn.to_qkv.bias", "transformer.norm.weight", "pooled_norm.weight",
     "mlp_head.weight", 1e-5F},
    {Dialect::timm, "patch_embed.proj.weight", "pos_embed", "cls_token", "blocks.", "0.mlp.fc1.weight",
     "0.attn.qkv.bias", "norm.weight", "fc_norm.weight", "head.weight", 1e-6F},
    {Dialect::hugging_face, "vit.embeddings.patch_embeddings.projection.weight", "vit.embeddings.position_embeddings",
     "vit.embeddings.cls_token", "vit.encoder.layer.", "0.intermediate.dense.weight",
     "0.attention.attention.query.bias", "vit.layernorm.weight", "", "classifier.weight", 1e-12F},
    {Dialect::torchvision, "conv_proj.weight", "encoder.pos_embedding", "class_token", "encoder.layers.encoder_layer_",
     "0.mlp.0.weight", "0.self_attention.in_proj_bias", "encoder.ln.weight", "", "heads.head.weight", 1e-6F},
};

/// A stem of convolutions, which no other dialect has, stands for the article's patches.
bool shows(const HostTensors& tensors, const Signs& signs) {
  return tensors.contains(signs.patch) || (signs.dialect == Dialect::article && tensors.contains("stem.0.weight"));
}

const Signs& detect(const HostTensors& tensors) {
  for (const Signs& signs : all_signs)
    if (shows(tensors, signs)) return signs;
  std::string first;
  for (const auto& [name, tensor] : tensors) {
    first = name;
    break;
  }
  throw StorageError(fmt::format(
      "its {} tensors (the first is \"{}\") have none of the names of a Vision Transformer of the article's "
      "code, timm, Hugging Face (ViTForImageClassification) or torchvision",
      tensors.size(), first));
}

/// The sizes of a tensor of `rank` dimensions, those of size 1 in front not counted.
std::vector<size_t> sizes_of(const HostTensors& tensors, const std::string& name, size_t rank) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw StorageError(fmt::format("it lacks the tensor {}", name));
  std::vector<size_t> sizes = found->second.shape.sizes();
  while (sizes.size() > rank && sizes.front() == 1) sizes.erase(sizes.begin());
  if (sizes.size() != rank || found->second.shape.elements() == 0)
    throw StorageError(fmt::format("its tensor {} is {}, but one of {} dimensions is wanted", name,
                                   found->second.shape.to_string(), rank));
  return sizes;
}

void infer_patch(const HostTensors& tensors, const Signs& signs, ViTConfig& model) {
  const bool flat = signs.dialect == Dialect::article;
  const std::vector<size_t> patch = sizes_of(tensors, signs.patch, flat ? 2 : 4);
  model.dim = patch[0];
  if (!flat) {
    model.channels = patch[1];
    model.patch_size = patch[2];
    if (patch[2] != patch[3])
      throw StorageError(fmt::format("its patches are not square: {} x {}", patch[2], patch[3]));
    return;
  }
  // P P channels is a square for one channel and thrice a square for three, never both.
  for (const size_t channels : {size_t{1}, size_t{3}}) {
    const std::optional<size_t> side = patch[1] % channels == 0 ? side_of_square(patch[1] / channels) : std::nullopt;
    if (!side) continue;
    model.channels = channels;
    model.patch_size = *side;
    return;
  }
  throw StorageError(fmt::format("its patches of {} values are neither of 1 nor of 3 channels", patch[1]));
}

void infer_image_size(const HostTensors& tensors, const Signs& signs, ViTConfig& model) {
  const size_t tokens = sizes_of(tensors, signs.positions, 2)[0];
  const std::optional<size_t> grid = side_of_square(tokens - (model.class_token ? 1 : 0));
  if (!grid || *grid == 0)
    throw StorageError(fmt::format("its {} positions are not those of a square grid of patches{}", tokens,
                                   model.class_token ? " and a class token" : ""));
  model.image_size = *grid * model.patch_size;
}

size_t count_blocks(const HostTensors& tensors, const std::string& prefix) {
  std::set<std::string> numbers;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix); ++at)
    numbers.insert(at->first.substr(prefix.size(), at->first.find('.', prefix.size()) - prefix.size()));
  return numbers.size();
}

ViTConfig infer(const HostTensors& tensors, const Signs& signs) {
  ViTConfig model;
  const std::string block = signs.block;
  infer_patch(tensors, signs, model);
  model.class_token = tensors.contains(signs.class_token);
  infer_image_size(tensors, signs, model);
  model.depth = count_blocks(tensors, block);
  model.mlp_dim = sizes_of(tensors, block + signs.mlp_up, 2)[0];
  model.qkv_bias = tensors.contains(block + signs.qkv_bias);
  model.final_norm = tensors.contains(signs.final_norm);
  model.pooled_norm = tensors.contains(signs.pooled_norm);
  if (model.final_norm && model.pooled_norm)
    throw StorageError(
        fmt::format("it has both {} and {}, which does not tell how it pools", signs.final_norm, signs.pooled_norm));
  model.pool = model.class_token && !model.pooled_norm ? Pool::cls : Pool::mean;
  const bool mlp_head = signs.dialect == Dialect::article && !tensors.contains(signs.head);
  model.head = mlp_head ? Head::mlp : Head::linear;
  model.classes = sizes_of(tensors, mlp_head ? "mlp_head.2.weight" : signs.head, 2)[0];
  model.scale = signs.dialect == Dialect::article ? AttentionScale::dim : AttentionScale::head_dim;
  model.norm_epsilon = signs.norm_epsilon;
  return model;
}

size_t published_heads(const Signs& signs, size_t dim) {
  static const std::map<size_t, size_t> heads{{192, 3}, {384, 6}, {768, 12}, {1024, 16}, {1280, 16}};
  const auto found = heads.find(dim);
  if (signs.dialect == Dialect::article || found == heads.end())
    throw UsageError("its tensors do not tell the number of attention heads; give it with --heads");
  return found->second;
}

Json read_json(const fs::path& path) {
  constexpr uintmax_t most_bytes = uintmax_t{1} << 26;
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);  // an error for what is no regular file
  if (!error && bytes > most_bytes)
    throw StorageError(fmt::format("{} has more than {} bytes", path.string(), most_bytes));
  std::ifstream file;
  if (!error) file.open(path);
  if (!file.is_open()) throw StorageError(fmt::format("can't read {}, which must lie beside it", path.string()));
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) throw StorageError(fmt::format("{} is no JSON object", path.string()));
  return json;
}

/// Hugging Face's config.json: the heads and the epsilon, and that nothing else is unlike what is computed here.
void apply_config(const Json& config, ViTConfig& model) {
  try {
    model.heads = config.at("num_attention_heads").get<size_t>();
    model.norm_epsilon = config.value("layer_norm_eps", 1e-12F);
    const Json wanted = {{"model_type", "vit"},
                         {"hidden_act", "gelu"},
                         {"hidden_size", model.dim},
                         {"intermediate_size", model.mlp_dim},
                         {"num_hidden_layers", model.depth},
                         {"image_size", model.image_size},
                         {"patch_size", model.patch_size},
                         {"num_channels", model.channels},
                         {"qkv_bias", model.qkv_bias}};
    for (const auto& [key, value] : wanted.items())
      if (config.contains(key) && config.at(key) != value)
        throw StorageError(
            fmt::format("its config.json has \"{}\": {}, wanted {}", key, in_words(config.at(key)), in_words(value)));
  } catch (const Json::exception& error) {
    throw StorageError(fmt::format("its config.json is malformed: {}", error.what()));
  }
}

/// timm's config.json, where one lies beside the file, tells how it pools: with a class token and no fc_norm it may be
/// either way.
void apply_pooling(const fs::path& path, ViTConfig& model) {
  if (!fs::exists(path)) return;
  const Json config = read_json(path);
  if (!config.contains("global_pool")) return;
  const Json& pooling = config.at("global_pool");
  if (pooling == "avg") model.pool = Pool::mean;
  if (pooling != (model.pool == Pool::cls ? "token" : "avg"))
    throw StorageError(
        fmt::format("its config.json has \"global_pool\": {}, which its tensors do not fit", in_words(pooling)));
}

/// PyTorch's own files: zip archives of pickles, or plain ones. A safetensors file whose length happens to begin as
/// they do has a '{' behind it.
void refuse_pickle(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return;  // a pipe would wait for its other end
  std::array<char, 9> first{};
  std::ifstream(path, std::ios::binary).read(first.data(), first.size());
  const std::string_view start(first.data(), first.size());
  if ((!start.starts_with("PK\3\4") && start.front() != '\x80') || start.back() == '{') return;
  throw StorageError(
      fmt::format("{} is a pickle of PyTorch's, which could run anything as it is read. PyTorch makes a safetensors "
                  "file of it: python -c 'import sys, torch, safetensors.torch as s; s.save_file(torch.load("
                  "sys.argv[1], weights_only=True), sys.argv[2])' FILE FILE.safetensors",
                  path.filename().string()));
}

SafeTensors read_tensors(const fs::path& path) {
  refuse_pickle(path);
  return read_safetensors(path);
}

/// The tensors of all files that an index names. They must lie beside it.
SafeTensors read_shards(const fs::path& index) {
  const Json json = read_json(index);
  std::map<std::string, std::string> file_of;
  try {
    json.at("weight_map").get_to(file_of);
  } catch (const Json::exception&) {
    throw StorageError("it has no \"weight_map\" from tensors' names to files");
  }
  std::set<std::string> files;
  for (const auto& [tensor, file] : file_of) {
    if (fs::path(file).filename() != file || file == "..")
      throw StorageError(fmt::format("it places {} in \"{}\", which is no plain file name", tensor, file));
    files.insert(file);
  }
  SafeTensors all;
  for (const std::string& file : files)
    for (auto& [name, tensor] : read_tensors(index.parent_path() / file).tensors) {
      const auto place = file_of.find(name);
      if (place == file_of.end() || place->second != file)
        throw StorageError(fmt::format("{} holds the tensor {}, which the index does not place there", file, name));
      all.tensors.emplace(name, std::move(tensor));
    }
  for (const auto& [tensor, file] : file_of)
    if (!all.tensors.contains(tensor)) throw StorageError(fmt::format("{} lacks the tensor {}", file, tensor));
  return all;
}

ViTConfig describe(const SafeTensors& file, const Signs& signs, const fs::path& path, size_t heads) {
  if (file.metadata.contains("vitcl") && file.metadata.contains("model"))
    return models::vit_config_from_json(file.metadata.at("model"));
  ViTConfig model = infer(file.tensors, signs);
  const fs::path config = path.parent_path() / "config.json";
  if (signs.dialect == Dialect::hugging_face)
    apply_config(read_json(config), model);
  else
    model.heads = heads == 0 ? published_heads(signs, model.dim) : heads;
  if (signs.dialect == Dialect::timm) apply_pooling(config, model);
  model.validate();
  return model;
}

/// Parts of a file that the classifier does not use: vitcl's optimiser state, and the pooler of Hugging Face's ViT,
/// which ViTForImageClassification does not have.
bool unused(const std::string& name) { return name.starts_with("optimizer.") || name.starts_with("vit.pooler."); }

/// A tensor's name as the dialect has it now. torchvision's MLPs once had linear_1 and linear_2; Hugging Face saves its
/// backbone alone (ViTModel) without "vit.".
std::string newest_name(const std::string& name, const HostTensors& tensors) {
  if (tensors.contains("conv_proj.weight"))
    for (const auto& [old, now] : {std::pair{".mlp.linear_1.", ".mlp.0."}, std::pair{".mlp.linear_2.", ".mlp.3."}})
      if (const size_t at = name.find(old); at != std::string::npos)
        return name.substr(0, at) + now + name.substr(at + std::string_view(old).size());
  if (tensors.contains("embeddings.patch_embeddings.projection.weight"))
    for (const char* part : {"embeddings.", "encoder.", "layernorm.", "pooler."})
      if (name.starts_with(part)) return "vit." + name;
  return name;
}

void take_newest_names(HostTensors& tensors) {
  std::map<std::string, std::string> names;
  for (const auto& [name, tensor] : tensors) names[name] = newest_name(name, tensors);
  HostTensors renamed;
  for (auto& [name, tensor] : tensors)
    if (!renamed.emplace(names.at(name), std::move(tensor)).second)
      throw StorageError(fmt::format("it has {} under two names", names.at(name)));
  tensors = std::move(renamed);
}

/// Gives a backbone without a classifier one of a single class, so that the rest can be read as a model; false where
/// it has its own.
bool complete_head(HostTensors& tensors, const Signs& signs) {
  const std::string weight = signs.head, bias = weight.substr(0, weight.rfind('.')) + ".bias";
  if (signs.dialect == Dialect::article || tensors.contains(weight) || tensors.contains(bias)) return false;
  const std::vector<float> zeros(sizes_of(tensors, signs.patch, 4)[0]);
  tensors[weight] = HostTensor::from(Shape{1, zeros.size()}, zeros);
  tensors[bias] = HostTensor::from(Shape{1}, std::span(zeros).first(1));
  return true;
}

/// Puts the moving average of a vitcl checkpoint, if it has one, in place of the parameters.
bool take_average(HostTensors& tensors) {
  constexpr std::string_view prefix = "optimizer.ema.";
  bool found = false;
  for (auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) {
      tensors[name.substr(prefix.size())] = std::move(tensor);
      found = true;
    }
  return found;
}

/// What a checkpoint of vitcl tells beside the model.
void read_metadata(const std::map<std::string, std::string>& metadata, Pretrained& result) {
  if (!metadata.contains("vitcl")) return;
  try {
    result.patch_mask = metadata.at("patch_mask");
    Json::parse(metadata.at("class_names")).get_to(result.class_names);
    const Json statistics = Json::parse(metadata.at("pixel_statistics"));
    statistics.at("mean").get_to(result.mean);
    statistics.at("deviation").get_to(result.deviation);
  } catch (const std::exception& error) {  // of the map or the parser
    throw StorageError(fmt::format("its metadata is incomplete or malformed: {}", error.what()));
  }
  const std::string& mask = result.patch_mask;
  if (!mask.empty() && (mask.size() != result.model.patches() || mask.find_first_not_of("01") != std::string::npos))
    throw StorageError(fmt::format("its metadata's patch mask \"{}\" is not one 0 or 1 for each of {} patches",
                                   mask.substr(0, 64), result.model.patches()));
}

Pretrained parse(SafeTensors file, const fs::path& path, size_t heads) {
  verify_checksums(file);
  const bool averaged = take_average(file.tensors);
  take_newest_names(file.tensors);
  std::erase_if(file.tensors, [](const auto& entry) { return unused(entry.first); });
  const Signs& signs = detect(file.tensors);
  const bool headless = complete_head(file.tensors, signs);
  Pretrained result{.dialect = signs.dialect,
                    .model = describe(file, signs, path, heads),
                    .averaged = averaged,
                    .headless = headless};
  read_metadata(file.metadata, result);
  result.parameters = import_parameters(result.model, result.dialect, file.tensors);
  if (headless) std::erase_if(result.parameters, [](const auto& entry) { return entry.first.starts_with("head."); });
  require_finite(result.parameters, "it");
  return result;
}

/// Throws where the dialect's own code, given these parameters, would compute something else, beyond what
/// export_parameters refuses.
void require_same_function(Dialect dialect, const Pretrained& weights) {
  const ViTConfig& model = weights.model;
  const auto refuse = [&](const std::string& reason) {
    throw UsageError(fmt::format("the {} dialect can't hold this model: {}", to_string(dialect), reason));
  };
  if (model.masked || !weights.patch_mask.empty()) refuse("it knows no masked patches");
  for (const Signs& signs : all_signs)
    if (signs.dialect == dialect && dialect != Dialect::hugging_face && model.norm_epsilon != signs.norm_epsilon)
      refuse(fmt::format("its LayerNorm has the epsilon {}, this model's {}", signs.norm_epsilon, model.norm_epsilon));
  if (dialect == Dialect::timm && model.pool == Pool::mean && model.class_token && model.final_norm)
    refuse("with a class token and mean pooling it normalises behind the pooling, this model before it");
  if (dialect == Dialect::torchvision && !model.qkv_bias) refuse("its queries, keys and values have a bias");
  if (dialect != Dialect::article) return;
  if (model.scale != AttentionScale::dim && model.heads != 1)
    refuse("it scales attention by dim^-0.5, this model by (dim / heads)^-0.5");
  if (model.qkv_bias || model.final_norm || model.pooled_norm)
    refuse("it has neither a bias of queries, keys and values nor a LayerNorm behind the blocks");
  if (model.head != Head::mlp || model.pool != Pool::cls || model.position != models::Position::learned)
    refuse("it has an MLP head, the class token's pooling and learned positions");
  if (model.image_size % model.patch_size != 0) refuse("it does not pad images");
}

std::string hugging_face_config(const ViTConfig& model) {
  Json labels = Json::object(), numbers = Json::object();
  for (size_t i = 0; i < model.classes; ++i) {
    labels[std::to_string(i)] = fmt::format("LABEL_{}", i);
    numbers[fmt::format("LABEL_{}", i)] = i;
  }
  const Json config = {{"architectures", {"ViTForImageClassification"}},
                       {"model_type", "vit"},
                       {"hidden_act", "gelu"},
                       {"hidden_size", model.dim},
                       {"intermediate_size", model.mlp_dim},
                       {"num_hidden_layers", model.depth},
                       {"num_attention_heads", model.heads},
                       {"image_size", model.image_size},
                       {"patch_size", model.patch_size},
                       {"num_channels", model.channels},
                       {"qkv_bias", model.qkv_bias},
                       {"layer_norm_eps", model.norm_epsilon},
                       {"hidden_dropout_prob", 0.0},
                       {"attention_probs_dropout_prob", 0.0},
                       {"id2label", labels},
                       {"label2id", numbers}};
  return config.dump(2) + "\n";
}

/// Writes Hugging Face's config.json; one that is there must say the same.
void write_config(const fs::path& path, const ViTConfig& model) {
  const std::string config = hugging_face_config(model);
  if (fs::exists(path) && read_json(path) != Json::parse(config))
    throw UsageError(
        fmt::format("{} is there already and is not what would be written; choose another folder", path.string()));
  write_text_file(path, config);
}

}  // namespace

void require_head(const Pretrained& weights) {
  if (weights.headless)
    throw UsageError(
        "the weights have no classifier; `vitcl train --initial-checkpoint` gives them one and trains it on your data");
}

Pretrained read_pretrained(const fs::path& path, size_t heads) {
  const auto context = [&](const Error& error) {
    return fmt::format("the weights {}: {}", path.string(), error.what());
  };
  try {
    return parse(path.extension() == ".json" ? read_shards(path) : read_tensors(path), path, heads);
  } catch (const UsageError& error) {
    throw UsageError(context(error));
  } catch (const Error& error) {
    throw StorageError(context(error));
  }
}

void write_pretrained(const fs::path& path, Dialect dialect, const Pretrained& weights) {
  require_head(weights);
  const SafeTensors file{export_parameters(weights.model, dialect, weights.parameters), {{"format", "pt"}}};
  require_same_function(dialect, weights);
  if (dialect == Dialect::hugging_face) write_config(path.parent_path() / "config.json", weights.model);
  write_safetensors(path, file);
}

}  // namespace vitcl::io
