#pragma once

#include <cstddef>
#include <span>

namespace vitcl::reference {

/// Element (b, cell, p1, p2, c) of the patches is pixel (cell / grid * patch + p1, cell % grid * patch + p2) of the
/// padded image; the padding is centred, with the extra pixel right and below.
template <class T>
void cut_patches(std::span<const T> images, size_t batch, size_t channels, size_t side, size_t patch, T pad_value,
                 std::span<T> patches) {
  const size_t grid = (side + patch - 1) / patch, border = (grid * patch - side) / 2;
  size_t at = 0;
  for (size_t b = 0; b < batch; ++b) {
    for (size_t cell = 0; cell < grid * grid; ++cell) {
      for (size_t p = 0; p < patch * patch; ++p) {
        const size_t y = cell / grid * patch + p / patch, x = cell % grid * patch + p % patch;
        const bool inside = y >= border && y - border < side && x >= border && x - border < side;
        for (size_t c = 0; c < channels; ++c) {
          patches[at++] = inside ? images[((b * channels + c) * side + (y - border)) * side + (x - border)] : pad_value;
        }
      }
    }
  }
}

// Tokens of positions.size() elements an image, the first class_token.size() of them the class token's.

/// tokens = [class_token; projected] + positions.
template <class T>
void embed_tokens_forward(std::span<const T> projected, std::span<const T> class_token, std::span<const T> positions,
                          std::span<T> tokens) {
  const size_t image = positions.size(), head = class_token.size();
  for (size_t i = 0; i < tokens.size(); ++i) {
    const size_t b = i / image, at = i % image;
    tokens[i] = (at < head ? class_token[at] : projected[b * (image - head) + at - head]) + positions[at];
  }
}

template <class T>
void embed_tokens_backward(std::span<const T> dtokens, std::span<T> dprojected, std::span<T> dclass_token,
                           std::span<T> dpositions) {
  const size_t image = dpositions.size(), head = dclass_token.size();
  for (T& d : dclass_token) d = 0;
  for (T& d : dpositions) d = 0;
  for (size_t i = 0; i < dtokens.size(); ++i) {
    const size_t b = i / image, at = i % image;
    dpositions[at] += dtokens[i];
    if (at < head) {
      dclass_token[at] += dtokens[i];
    } else {
      dprojected[b * (image - head) + at - head] = dtokens[i];
    }
  }
}

}  // namespace vitcl::reference
