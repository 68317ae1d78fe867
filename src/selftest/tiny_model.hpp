#pragma once

#include "vitcl/models/vit.hpp"

namespace vitcl::selftest {

/// No size divides another: patches with a border, heads of three features.
inline models::ViTConfig tiny_model() {
  models::ViTConfig c;
  c.image_size = 5;
  c.patch_size = 2;
  c.pad_value = -0.5F;
  c.channels = 2;
  c.classes = 3;
  c.dim = 6;
  c.depth = 2;
  c.heads = 2;
  c.mlp_dim = 7;
  return c;
}

}  // namespace vitcl::selftest
