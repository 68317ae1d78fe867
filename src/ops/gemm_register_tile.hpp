#pragma once

#include "gemm.hpp"

// The product on CPUs; cl/gemm_register_tile.cl says how. Its work is divided among work-items by the device's compute
// units, which does not change a bit of the result; the slices of the inner size depend on the shape alone.
namespace vitcl::ops {

/// How much of c a work-item computes at once: `rows` x 16 `vectors` elements.
struct RegisterTile {
  size_t rows, vectors;
};

/// 12 sums, 2 columns and a broadcast in 16 registers of 8 floats (AVX2).
inline constexpr RegisterTile narrow_register_tile{6, 1};
/// 24 sums, 4 columns and a broadcast in 32 registers of 16 floats (AVX-512).
inline constexpr RegisterTile wide_register_tile{6, 4};

/// Whether the wide tile fits: 32 registers of 16 floats.
inline bool has_wide_registers(const DeviceCaps& caps) { return caps.native_float_width >= 16; }

size_t register_tile_workspace_bytes(const GemmShape& shape);

void gemm_register_tile(Queue& queue, const RegisterTile& tile, const GemmShape& shape, const Buffer& a,
                        const Buffer& b, const Buffer* bias, GradMode mode, const Buffer& c, const Buffer& workspace);

}  // namespace vitcl::ops
