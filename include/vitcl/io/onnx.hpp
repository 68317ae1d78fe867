#pragma once

#include <filesystem>

#include "vitcl/io/pretrained.hpp"

namespace vitcl::io {

/// Writes the model as an ONNX file (format 8, operators of set 17): from "images" (batch, channels, image_size,
/// image_size) f32, normalised, to "logits" (batch, classes). A patch mask is part of the model: what it hides is left
/// out. The metadata has "mean" and "deviation" of pixels / 255 and "class_names" as JSON, where they are known. Throws
/// UsageError where the file would exceed the format's 2 GB or mean pooling has no patch, StorageError where the file
/// can't be written.
void write_onnx(const std::filesystem::path& path, const Pretrained& weights);

}  // namespace vitcl::io
