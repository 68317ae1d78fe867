#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vitcl/nn/graph.hpp"

namespace vitcl::models {

/// What makes an image's tokens: a linear projection of its patches, or 3 x 3 convolutions, those that halve the sides
/// until each patch is a token and others between them, with LayerNorm and GELU behind each but the last (Xiao et al.
/// 2021, "Early Convolutions Help Transformers See Better").
enum class Stem { patches, convolutions };
enum class Pool { cls, mean };
enum class Head { linear, mlp };
enum class AttentionScale { dim, head_dim };  ///< dim^-0.5 (the article) or (dim / heads)^-0.5 (timm, Hugging Face)
enum class Position { learned, sincos };

/// One of the stem's 3 x 3 convolutions, over images or tokens that are padded by one on every side.
struct StemConvolution {
  size_t in, out;  ///< channels
  size_t stride;
};

/// A Vision Transformer's choices. The defaults are the article's model: 213,642 parameters.
struct ViTConfig {
  size_t image_size = 28;  ///< side in pixels
  size_t patch_size = 7;   ///< with Stem::convolutions a power of two, at least 2
  Stem stem = Stem::patches;
  size_t stem_channels = 32;  ///< of the first convolution; they double where the sides are halved, up to dim
  size_t stem_depth = 1;      ///< convolutions at each resolution, of which the first halves the sides
  size_t channels = 1;
  size_t classes = 10;
  size_t dim = 64;
  size_t depth = 6;
  size_t heads = 8;
  size_t mlp_dim = 128;
  Pool pool = Pool::cls;
  bool class_token = true;  ///< always with Pool::cls; timm keeps one beside mean pooling too
  Head head = Head::mlp;    ///< Linear, or Linear - GELU - Linear with mlp_dim inside
  AttentionScale scale = AttentionScale::dim;
  Position position = Position::learned;
  float position_std = 1;  ///< deviation of learned positions and the class token when training begins
  bool qkv_bias = false;
  bool final_norm = false;   ///< LayerNorm between the last block and the pooling (timm, Hugging Face)
  bool pooled_norm = false;  ///< LayerNorm between the pooling and the head (timm with mean pooling)
  float norm_epsilon = 1e-5F;
  float pad_value = 0;  ///< the value of a black pixel after normalisation, for sides that are no multiple of the patch
  bool masked = false;  ///< the graph has an input "mask" (B, patches) u8, 1 = visible

  size_t grid() const { return (image_size + patch_size - 1) / patch_size; }
  size_t patches() const { return grid() * grid(); }
  size_t tokens() const { return patches() + (class_token ? 1 : 0); }
  /// Those of Stem::convolutions, in their order.
  std::vector<StemConvolution> stem_convolutions() const;
  float attention_scale() const;
  /// Throws UsageError naming the field where the choices do not fit together (heads that do not divide dim, a zero).
  void validate() const;

  bool operator==(const ViTConfig&) const = default;
};

/// The probabilities with which training leaves something out, named after timm's: dropout (Srivastava et al. 2014) and
/// stochastic depth (Huang et al. 2016).
struct DropRates {
  float head = 0;        ///< of what the classifier reads (timm's drop_rate)
  float positions = 0;   ///< of tokens behind the position embedding (pos_drop_rate)
  float projection = 0;  ///< behind attention's projection, the MLP's GELU and the MLP (proj_drop_rate)
  float attention = 0;   ///< of attention's probabilities (attn_drop_rate)
  float path = 0;  ///< of the last block's residual branches, whole for a sample; of those before linearly less, from 0
                   ///< in the first block on (drop_path_rate)

  bool any() const { return head > 0 || positions > 0 || projection > 0 || attention > 0 || path > 0; }
  bool operator==(const DropRates&) const = default;
};

/// The presets' names: article, compact, and tiny, small, base as timm's vit_*_patch16_224.
std::vector<std::string> preset_names();
/// Throws UsageError listing the presets where there is none of that name.
ViTConfig preset(const std::string& name);

/// JSON text with one key a field, and back. Unknown or missing keys throw StorageError.
std::string to_json(const ViTConfig& config);
ViTConfig vit_config_from_json(const std::string& text);

/// The network from "images" (B, channels, image_size, image_size) to the kept value "logits" (B, classes).
/// Parameter names are vitcl's own, see docs/architecture.md; io/parameter_names.hpp maps them to other programs'.
nn::Graph vit_graph(const ViTConfig& config);
/// What training adds to the network.
struct TrainingOptions {
  float label_smoothing = 0;
  size_t mean_over = 0;       ///< see nn::CrossEntropy
  bool soft_targets = false;  ///< the loss compares with an input "targets" (B, classes), labels with what is correct
  DropRates drop = {};        ///< where anything is dropped there is an input "draws" (B, 4) i32, see ops::load_draws()
};

/// The same with an input "labels" (B) i32 and the loss "loss" (B).
nn::Graph vit_training_graph(const ViTConfig& config, const TrainingOptions& options = {});

}  // namespace vitcl::models
