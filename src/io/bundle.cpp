#include "vitcl/io/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "backend/json_text.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/safetensors.hpp"

namespace vitcl::io {
namespace {

using Json = nlohmann::json;
using models::AttentionScale;
using models::Head;
using models::Pool;
using models::ViTConfig;

/// The bundle's config with checked access. Keys that change nothing in what is computed here (seed, offset,
/// edge_masks) are never asked for.
class Config {
 public:
  explicit Config(const std::string& text) : json_(Json::parse(text, nullptr, false)) {
    if (!json_.is_object()) throw DataError("its metadata \"config\" is no JSON object");
  }

  /// A whole number from 1 to `most`.
  size_t size(const char* key, size_t most) const {
    if (!json_.contains(key)) throw DataError(fmt::format("its config lacks \"{}\"", key));
    const Json& value = json_.at(key);
    const bool fits = value.is_number_unsigned() && value.get<uint64_t>() >= 1 && value.get<uint64_t>() <= most;
    if (!fits) throw wrong(key, fmt::format("a whole number from 1 to {}", most));
    return value.get<size_t>();
  }

  double number(const char* key, double missing) const {
    if (!json_.contains(key)) return missing;
    if (!json_.at(key).is_number()) throw wrong(key, "a number");
    return json_.at(key).get<double>();
  }

  bool flag(const char* key) const {
    if (!json_.contains(key)) return false;
    if (!json_.at(key).is_boolean()) throw wrong(key, "true or false");
    return json_.at(key).get<bool>();
  }

  /// One of `allowed`, the first where the key is absent.
  std::string word(const char* key, std::initializer_list<const char*> allowed) const {
    if (!json_.contains(key)) return *allowed.begin();
    const Json& value = json_.at(key);
    for (const char* name : allowed)
      if (value == name) return name;
    throw wrong(key, fmt::format("one of {}", fmt::join(allowed, ", ")));
  }

  bool has(const char* key) const { return json_.contains(key); }

 private:
  DataError wrong(const char* key, const std::string& wanted) const {
    return DataError(fmt::format("its config has \"{}\": {}, but {} is wanted", key, in_words(json_.at(key)), wanted));
  }
  Json json_;
};

constexpr double black_mnist_pixel = (0 - 0.1307) / 0.3081;

// Generous, but small enough that no product of the sizes overflows.
constexpr size_t most_pixels = size_t{1} << 14;
constexpr size_t most_channels = size_t{1} << 10;
constexpr size_t most_features = size_t{1} << 20;

/// What the three families have in common.
ViTConfig sizes(const Config& config, size_t most_blocks) {
  ViTConfig model;
  model.image_size = config.size("image_size", most_pixels);
  model.patch_size = config.size("patch_size", most_pixels);
  model.channels = config.size("channels", most_channels);
  model.classes = config.size("classes", most_features);
  model.dim = config.size("dim", most_features);
  model.depth = config.size("depth", most_blocks);
  model.heads = config.size("heads", most_features);
  model.mlp_dim = config.size("mlp_dim", most_features);
  model.pad_value = static_cast<float>(config.number("pad_value", black_mnist_pixel));
  model.masked = config.flag("masked");
  return model;
}

void describe_article(const Config& config, ViTConfig& model) {
  model.pool = config.word("pool", {"cls", "mean"}) == "cls" ? Pool::cls : Pool::mean;
  model.class_token = model.pool == Pool::cls;
  model.head = config.word("head", {"mlp", "linear"}) == "mlp" ? Head::mlp : Head::linear;
  model.scale = config.word("scale", {"dim", "head_dim"}) == "dim" ? AttentionScale::dim : AttentionScale::head_dim;
  model.norm_epsilon = 1e-5F;
}

void describe_timm(const Config& config, ViTConfig& model) {
  // timm keeps the class token beside mean pooling, and moves the norm behind the pooling.
  model.pool = config.word("pool", {"token", "avg"}) == "token" ? Pool::cls : Pool::mean;
  model.final_norm = model.pool == Pool::cls;
  model.pooled_norm = model.pool == Pool::mean;
  // timm is given the ratio and multiplies it back, which may round down.
  const double dim = static_cast<double>(model.dim);
  model.mlp_dim = static_cast<size_t>(dim * (static_cast<double>(model.mlp_dim) / dim));
  model.norm_epsilon = 1e-6F;
}

void describe_hugging_face(const Config&, ViTConfig& model) {
  model.pool = Pool::cls;
  model.final_norm = true;
  model.norm_epsilon = 1e-12F;
}

void describe_common(ViTConfig& model) {  // timm and Hugging Face
  model.class_token = true;
  model.head = Head::linear;
  model.scale = AttentionScale::head_dim;
  model.qkv_bias = true;
  if (model.masked) throw DataError("its config has \"masked\": true, which only the family \"seed\" knows");
}

void describe(const Config& config, Bundle& bundle, size_t most_blocks) {
  if (!config.has("family")) throw DataError("its config lacks \"family\"");
  const std::string family = config.word("family", {"seed", "timm", "hf"});
  ViTConfig& model = bundle.config;
  model = sizes(config, most_blocks);
  if (family == "seed") {
    bundle.dialect = Dialect::article;
    describe_article(config, model);
  } else {
    bundle.dialect = family == "timm" ? Dialect::timm : Dialect::hugging_face;
    describe_common(model);
    family == "timm" ? describe_timm(config, model) : describe_hugging_face(config, model);
  }
  bundle.batch = config.size("batch", most_features);
  bundle.lr = static_cast<float>(config.number("lr", 0.003));
  bundle.label_smoothing = static_cast<float>(config.number("label_smoothing", 0));
  model.validate();
}

/// The tensors whose names begin with `prefix`, without it.
HostTensors take(HostTensors& tensors, const std::string& prefix) {
  HostTensors result;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix);) {
    auto node = tensors.extract(at++);
    node.key() = node.key().substr(prefix.size());
    result.insert(std::move(node));
  }
  return result;
}

const HostTensor& find(const HostTensors& tensors, const std::string& name, const Shape& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw DataError(fmt::format("it lacks the tensor {}", name));
  if (found->second.shape != shape)
    throw DataError(fmt::format("its tensor {} is {}, but its config asks for {}", name,
                                found->second.shape.to_string(), shape.to_string()));
  return found->second;
}

std::vector<float> floats(const HostTensors& tensors, const std::string& name, const Shape& shape) {
  return to_floats(find(tensors, name, shape), name);
}

void read_values(const HostTensors& tensors, Bundle& bundle) {
  const ViTConfig& model = bundle.config;
  const size_t batch = bundle.batch;
  bundle.images = floats(tensors, "input.images", {batch, model.channels, model.image_size, model.image_size});
  bundle.labels = to_ints(find(tensors, "input.labels", {batch}), "input.labels");
  for (const int32_t label : bundle.labels)
    if (label < 0 || static_cast<size_t>(label) >= model.classes)
      throw DataError(fmt::format("its label {} is not in 0 to {}", label, model.classes - 1));
  if (model.masked) {
    bundle.mask = to_bytes(find(tensors, "input.mask", {batch, model.patches()}), "input.mask");
    if (std::any_of(bundle.mask.begin(), bundle.mask.end(), [](uint8_t value) { return value > 1; }))
      throw DataError("its input.mask holds other values than 0 and 1");
  }
  bundle.logits = floats(tensors, "output.logits", {batch, model.classes});
  bundle.loss = floats(tensors, "output.loss", {1}).front();
  const std::vector<float> losses = floats(tensors, "output.losses", {bundle.losses.size()});
  std::copy(losses.begin(), losses.end(), bundle.losses.begin());
  require_finite({{"input.images", bundle.images}, {"output.logits", bundle.logits}, {"output.losses", losses}}, "it");
}

/// Each set of tensors must be a whole one of the model's, and finite.
void check_model_tensors(const Bundle& bundle) {
  const std::pair<const char*, const HostTensors*> sets[] = {
      {"param.", &bundle.parameters}, {"grad.", &bundle.gradients}, {"adam1.", &bundle.adam1}};
  for (const auto& [prefix, tensors] : sets) {
    try {
      require_finite(import_parameters(bundle.config, bundle.dialect, *tensors), "a tensor");
    } catch (const Error& error) {
      throw DataError(fmt::format("of its {}* tensors: {}", prefix, error.what()));
    }
  }
}

Bundle parse(SafeTensors file) {
  const auto text = file.metadata.find("config");
  if (text == file.metadata.end()) throw DataError("it is no reference bundle: its metadata lacks \"config\"");
  Bundle bundle;
  bundle.parameters = take(file.tensors, "param.");
  bundle.gradients = take(file.tensors, "grad.");
  bundle.adam1 = take(file.tensors, "adam1.");
  describe(Config(text->second), bundle, std::max<size_t>(1, bundle.parameters.size()));
  read_values(file.tensors, bundle);
  check_model_tensors(bundle);
  return bundle;
}

}  // namespace

Bundle read_bundle(const std::filesystem::path& path) {
  try {
    return parse(read_safetensors(path));
  } catch (const Error& error) {
    throw DataError(fmt::format("can't use {} as a reference bundle: {}", path.string(), error.what()));
  }
}

}  // namespace vitcl::io
