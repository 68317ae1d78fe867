#include "vitcl/io/parameter_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "vitcl/backend/error.hpp"

namespace vitcl::io {
namespace {

using models::AttentionScale;
using models::Pool;
using models::ViTConfig;

/// How a dialect's tensor holds the elements of vitcl's.
enum class Layout {
  same,
  leading_one,   // (1, ...)
  leading_ones,  // (1, 1, ...)
  query,         // the first third of the rows
  key,
  value,
  convolution,  // (dim, C, P, P) for (dim, P*P*C)
};

/// `{i}` stands for every block, or convolution of the stem, `*` for weight and bias. Rows of parts that a model lacks
/// do not apply to it.
struct Rule {
  std::string_view external;
  std::string_view internal;
  Layout layout = Layout::same;
};

constexpr Rule article_rules[] = {
    {"patch_to_embedding.*", "patch_embedding.*"},
    {"pos_embedding", "tokens.positions", Layout::leading_one},
    {"cls_token", "tokens.class_token", Layout::leading_ones},
    {"transformer.layers.{i}.0.fn.norm.*", "blocks.{i}.attention_norm.*"},
    {"transformer.layers.{i}.0.fn.fn.to_qkv.*", "blocks.{i}.qkv.*"},
    {"transformer.layers.{i}.0.fn.fn.to_out.*", "blocks.{i}.projection.*"},
    {"transformer.layers.{i}.1.fn.norm.*", "blocks.{i}.mlp_norm.*"},
    {"transformer.layers.{i}.1.fn.fn.net.0.*", "blocks.{i}.mlp_up.*"},
    {"transformer.layers.{i}.1.fn.fn.net.2.*", "blocks.{i}.mlp_down.*"},
    {"mlp_head.*", "head.*"},
    {"mlp_head.0.*", "head_up.*"},
    {"mlp_head.2.*", "head_down.*"},
    // Parts that the article's model does not have.
    {"stem.{i}.*", "stem.{i}.*"},
    {"stem.{i}.norm.*", "stem.{i}.norm.*"},
    {"transformer.norm.*", "final_norm.*"},
    {"pooled_norm.*", "pooled_norm.*"},
};

constexpr Rule timm_rules[] = {
    {"patch_embed.proj.weight", "patch_embedding.weight", Layout::convolution},
    {"patch_embed.proj.bias", "patch_embedding.bias"},
    {"pos_embed", "tokens.positions", Layout::leading_one},
    {"cls_token", "tokens.class_token", Layout::leading_ones},
    {"blocks.{i}.norm1.*", "blocks.{i}.attention_norm.*"},
    {"blocks.{i}.attn.qkv.*", "blocks.{i}.qkv.*"},
    {"blocks.{i}.attn.proj.*", "blocks.{i}.projection.*"},
    {"blocks.{i}.norm2.*", "blocks.{i}.mlp_norm.*"},
    {"blocks.{i}.mlp.fc1.*", "blocks.{i}.mlp_up.*"},
    {"blocks.{i}.mlp.fc2.*", "blocks.{i}.mlp_down.*"},
    {"norm.*", "final_norm.*"},
    {"fc_norm.*", "pooled_norm.*"},
    {"head.*", "head.*"},
};

constexpr Rule hugging_face_rules[] = {
    {"vit.embeddings.patch_embeddings.projection.weight", "patch_embedding.weight", Layout::convolution},
    {"vit.embeddings.patch_embeddings.projection.bias", "patch_embedding.bias"},
    {"vit.embeddings.position_embeddings", "tokens.positions", Layout::leading_one},
    {"vit.embeddings.cls_token", "tokens.class_token", Layout::leading_ones},
    {"vit.encoder.layer.{i}.layernorm_before.*", "blocks.{i}.attention_norm.*"},
    {"vit.encoder.layer.{i}.attention.attention.query.*", "blocks.{i}.qkv.*", Layout::query},
    {"vit.encoder.layer.{i}.attention.attention.key.*", "blocks.{i}.qkv.*", Layout::key},
    {"vit.encoder.layer.{i}.attention.attention.value.*", "blocks.{i}.qkv.*", Layout::value},
    {"vit.encoder.layer.{i}.attention.output.dense.*", "blocks.{i}.projection.*"},
    {"vit.encoder.layer.{i}.layernorm_after.*", "blocks.{i}.mlp_norm.*"},
    {"vit.encoder.layer.{i}.intermediate.dense.*", "blocks.{i}.mlp_up.*"},
    {"vit.encoder.layer.{i}.output.dense.*", "blocks.{i}.mlp_down.*"},
    {"vit.layernorm.*", "final_norm.*"},
    {"classifier.*", "head.*"},
};

constexpr Rule torchvision_rules[] = {
    {"conv_proj.weight", "patch_embedding.weight", Layout::convolution},
    {"conv_proj.bias", "patch_embedding.bias"},
    {"encoder.pos_embedding", "tokens.positions", Layout::leading_one},
    {"class_token", "tokens.class_token", Layout::leading_ones},
    {"encoder.layers.encoder_layer_{i}.ln_1.*", "blocks.{i}.attention_norm.*"},
    {"encoder.layers.encoder_layer_{i}.self_attention.in_proj_*", "blocks.{i}.qkv.*"},
    {"encoder.layers.encoder_layer_{i}.self_attention.out_proj.*", "blocks.{i}.projection.*"},
    {"encoder.layers.encoder_layer_{i}.ln_2.*", "blocks.{i}.mlp_norm.*"},
    {"encoder.layers.encoder_layer_{i}.mlp.0.*", "blocks.{i}.mlp_up.*"},
    {"encoder.layers.encoder_layer_{i}.mlp.3.*", "blocks.{i}.mlp_down.*"},
    {"encoder.ln.*", "final_norm.*"},
    {"heads.head.*", "head.*"},
};

/// A choice that a dialect's model would compute otherwise although every parameter has a name.
struct Refusal {
  bool (*applies)(const ViTConfig&);
  std::string_view reason;
};

bool scales_by_dim(const ViTConfig& config) { return config.scale == AttentionScale::dim && config.heads != 1; }
bool pads(const ViTConfig& config) { return config.image_size % config.patch_size != 0; }

constexpr Refusal timm_refusals[] = {
    {scales_by_dim, "it scales attention by (dim / heads)^-0.5, this model by dim^-0.5"},
    {pads, "it does not pad images whose side is no multiple of the patch"},
};
constexpr Refusal class_token_refusals[] = {
    // Hugging Face's and torchvision's
    {scales_by_dim, "it scales attention by (dim / heads)^-0.5, this model by dim^-0.5"},
    {pads, "it does not pad images whose side is no multiple of the patch"},
    {[](const ViTConfig& config) { return config.pool != Pool::cls; },
     "it pools by the class token, this model by the mean"},
    {[](const ViTConfig& config) { return !config.final_norm; },
     "it has a LayerNorm before the head, this model has none"},
};

struct DialectTable {
  std::string_view name;
  std::span<const Rule> rules;
  std::span<const Refusal> refusals;
};

const DialectTable& table(Dialect dialect) {
  static const std::array<DialectTable, 4> tables{{{"article", article_rules, {}},
                                                   {"timm", timm_rules, timm_refusals},
                                                   {"Hugging Face", hugging_face_rules, class_token_refusals},
                                                   {"torchvision", torchvision_rules, class_token_refusals}}};
  return tables.at(static_cast<size_t>(dialect));
}

/// A rule applied to one tensor of one model.
struct Mapping {
  std::string external, internal;
  Layout layout;
  Shape internal_shape;
};

std::string replaced(std::string_view pattern, std::string_view mark, const std::string& text) {
  std::string name(pattern);
  if (const size_t at = name.find(mark); at != std::string::npos) name.replace(at, mark.size(), text);
  return name;
}

/// Every pair of names that a rule stands for in a model.
std::vector<std::pair<std::string, std::string>> expand(const Rule& rule, const ViTConfig& config) {
  const size_t numbers = rule.internal.starts_with("stem.") ? config.stem_convolutions().size() : config.depth;
  const size_t count = rule.internal.find("{i}") == std::string_view::npos ? 1 : numbers;
  const bool both = rule.internal.ends_with('*');
  std::vector<std::pair<std::string, std::string>> names;
  for (size_t i = 0; i < count; ++i) {
    const std::string external = replaced(rule.external, "{i}", std::to_string(i));
    const std::string internal = replaced(rule.internal, "{i}", std::to_string(i));
    names.emplace_back(replaced(external, "*", "weight"), replaced(internal, "*", "weight"));
    if (both) names.emplace_back(replaced(external, "*", "bias"), replaced(internal, "*", "bias"));
  }
  return names;
}

std::vector<Mapping> mappings(const ViTConfig& config, Dialect dialect) {
  const DialectTable& dialect_table = table(dialect);
  std::vector<std::string> reasons;
  for (const Refusal& refusal : dialect_table.refusals)
    if (refusal.applies(config)) reasons.emplace_back(refusal.reason);

  std::map<std::string, Shape> specs;
  for (const nn::ParameterSpec& spec : models::vit_graph(config).parameters()) specs.emplace(spec.name, spec.shape);
  std::vector<Mapping> result;
  std::set<std::string> covered;
  for (const Rule& rule : dialect_table.rules)
    for (auto& [external, internal] : expand(rule, config))
      if (const auto spec = specs.find(internal); spec != specs.end()) {
        covered.insert(internal);
        result.push_back({std::move(external), internal, rule.layout, spec->second});
      }
  for (const auto& [name, shape] : specs)
    if (!covered.contains(name)) reasons.push_back("it has nothing like this model's " + name);
  if (!reasons.empty())
    throw UsageError(
        fmt::format("the {} dialect can't hold this model: {}", dialect_table.name, fmt::join(reasons, "; ")));
  return result;
}

Shape external_shape(const Mapping& mapping, const ViTConfig& config) {
  std::vector<size_t> sizes = mapping.internal_shape.sizes();
  switch (mapping.layout) {
    case Layout::same:
      break;
    case Layout::leading_one:
      sizes.insert(sizes.begin(), 1);
      break;
    case Layout::leading_ones:
      sizes.insert(sizes.begin(), 2, 1);
      break;
    case Layout::query:
    case Layout::key:
    case Layout::value:
      sizes.front() /= 3;
      break;
    case Layout::convolution:
      sizes = {sizes.front(), config.channels, config.patch_size, config.patch_size};
      break;
  }
  return Shape(std::move(sizes));
}

/// The element of vitcl's tensor that element `index` of the dialect's tensor of `count` elements is.
size_t internal_index(Layout layout, size_t index, size_t count, const ViTConfig& config) {
  switch (layout) {
    case Layout::key:
      return count + index;
    case Layout::value:
      return 2 * count + index;
    case Layout::convolution: {
      const size_t pixels = config.patch_size * config.patch_size;  // index is ((row * C) + c) * pixels + pixel
      const size_t pixel = index % pixels, plane = index / pixels;
      return (plane / config.channels * pixels + pixel) * config.channels + plane % config.channels;
    }
    default:
      return index;
  }
}

std::vector<size_t> without_leading_ones(const Shape& shape) {
  const auto& sizes = shape.sizes();
  return {std::find_if(sizes.begin(), sizes.end(), [](size_t size) { return size != 1; }), sizes.end()};
}

bool is_floating(StoredType type) {
  return type == StoredType::f64 || type == StoredType::f32 || type == StoredType::f16 || type == StoredType::bf16;
}

/// Collects what is wrong with a set of tensors, for one error that tells it all.
class Complaints {
 public:
  void missing(const std::string& name) { missing_.push_back(name); }
  void unknown(const std::string& name) { unknown_.push_back(name); }
  void different(std::string text) { different_.push_back(std::move(text)); }

  void raise(const std::string& what) const {
    std::vector<std::string> parts;
    add(parts, "missing", missing_);
    add(parts, "unknown", unknown_);
    add(parts, "of another shape or type", different_);
    if (!parts.empty()) throw StorageError(fmt::format("{} do not fit the model: {}", what, fmt::join(parts, "; ")));
  }

 private:
  static void add(std::vector<std::string>& parts, const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) parts.push_back(fmt::format("{} {}: {}", names.size(), what, fmt::join(names, ", ")));
  }
  std::vector<std::string> missing_, unknown_, different_;
};

template <class Tensors>
void find_unknown(const Tensors& tensors, const std::set<std::string>& known, Complaints& complaints) {
  for (const auto& [name, tensor] : tensors)
    if (!known.contains(name)) complaints.unknown(name);
}

}  // namespace

std::string_view to_string(Dialect dialect) { return table(dialect).name; }

std::vector<NamePair> parameter_names(const ViTConfig& config, Dialect dialect) {
  std::vector<NamePair> names;
  for (const Mapping& mapping : mappings(config, dialect))
    names.push_back({mapping.internal, mapping.external, external_shape(mapping, config)});
  return names;
}

nn::NamedTensors import_parameters(const ViTConfig& config, Dialect dialect, const HostTensors& tensors) {
  const std::vector<Mapping> names = mappings(config, dialect);
  Complaints complaints;
  std::set<std::string> known;
  for (const Mapping& mapping : names) {
    known.insert(mapping.external);
    const auto found = tensors.find(mapping.external);
    if (found == tensors.end()) {
      complaints.missing(mapping.external);
      continue;
    }
    const HostTensor& tensor = found->second;
    const Shape shape = external_shape(mapping, config);
    if (without_leading_ones(tensor.shape) != without_leading_ones(shape) || !is_floating(tensor.type))
      complaints.different(fmt::format("{} is {} {}, wanted F32 {}", mapping.external, to_string(tensor.type),
                                       tensor.shape.to_string(), shape.to_string()));
  }
  find_unknown(tensors, known, complaints);
  complaints.raise(fmt::format("the tensors ({} names)", table(dialect).name));

  nn::NamedTensors result;
  for (const Mapping& mapping : names) {
    std::vector<float>& values = result[mapping.internal];
    values.resize(mapping.internal_shape.elements());
    const std::vector<float> stored = to_floats(tensors.at(mapping.external), mapping.external);
    for (size_t i = 0; i < stored.size(); ++i)
      values.at(internal_index(mapping.layout, i, stored.size(), config)) = stored[i];
  }
  return result;
}

HostTensors export_parameters(const ViTConfig& config, Dialect dialect, const nn::NamedTensors& tensors) {
  const std::vector<Mapping> names = mappings(config, dialect);
  Complaints complaints;
  std::set<std::string> known;
  for (const Mapping& mapping : names) {
    if (!known.insert(mapping.internal).second) continue;
    const auto found = tensors.find(mapping.internal);
    if (found == tensors.end())
      complaints.missing(mapping.internal);
    else if (found->second.size() != mapping.internal_shape.elements())
      complaints.different(fmt::format("{} has {} elements, wanted {}", mapping.internal, found->second.size(),
                                       mapping.internal_shape.to_string()));
  }
  find_unknown(tensors, known, complaints);
  complaints.raise("the tensors (vitcl's names)");

  HostTensors result;
  for (const Mapping& mapping : names) {
    const std::vector<float>& values = tensors.at(mapping.internal);
    Shape shape = external_shape(mapping, config);
    std::vector<float> stored(shape.elements());
    for (size_t i = 0; i < stored.size(); ++i)
      stored[i] = values.at(internal_index(mapping.layout, i, stored.size(), config));
    result.emplace(mapping.external, HostTensor::from(std::move(shape), std::span<const float>(stored)));
  }
  return result;
}

}  // namespace vitcl::io
