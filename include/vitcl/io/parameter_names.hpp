#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vitcl/io/host_tensor.hpp"
#include "vitcl/models/vit.hpp"
#include "vitcl/nn/parameters.hpp"

namespace vitcl::io {

/// Whose names and shapes a file's parameters have.
enum class Dialect {
  article,  ///< the article's PyTorch state_dict (vit-pytorch 0.0.5), with names of our own where it has no such part
  timm,     ///< timm's VisionTransformer
  hugging_face,  ///< ViTForImageClassification as transformers saves it
  torchvision,   ///< torchvision's VisionTransformer (vit_b_16)
};
std::string_view to_string(Dialect dialect);

// Between a dialect and vitcl's own names and flat values. import_parameters and export_parameters are each other's
// inverse, and serve parameters, gradients and Adam's moments alike. They differ in
//   - names, and leading sizes of 1: (1, T, dim) for positions, (1, 1, dim) for the class token;
//   - the patch embedding: vitcl and the article keep (dim, P*P*C) flattened (p1 p2 c), the others the weight of a
//     convolution (dim, C, P, P);
//   - query, key and value: separate in Hugging Face's, rows of one tensor in the others.
// A model that the dialect can't express (an MLP head in timm) throws UsageError with the reason.

/// One tensor's name here and in a dialect, with its shape there.
struct NamePair {
  std::string ours, theirs;
  Shape shape;
};
std::vector<NamePair> parameter_names(const models::ViTConfig& config, Dialect dialect);

/// Reads `tensors`, of any floating type, for a model of this config. Leading sizes of 1 may be absent. Throws one
/// StorageError that lists every tensor that is missing, unknown, or of another shape or type.
nn::NamedTensors import_parameters(const models::ViTConfig& config, Dialect dialect, const HostTensors& tensors);

/// The same values under the dialect's names, as F32. Throws StorageError as import_parameters does.
HostTensors export_parameters(const models::ViTConfig& config, Dialect dialect, const nn::NamedTensors& tensors);

}  // namespace vitcl::io
