#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gemm.hpp"

// The product on CPUs; cl/gemm_register_tile.cl says how. Its work is divided among work-items by the device's compute
// units, which does not change a bit of the result; the slices of the inner size depend on the shape alone.
namespace vitcl::ops {

/// How much of c a work-item computes at once: `rows` x 16 `vectors` elements, after which it is named.
struct RegisterTile {
  std::string_view name;
  size_t rows, vectors;
};

/// The tiles that the tuner chooses from. Untuned, a device takes the first, or the second if its registers are wide.
/// They differ in bits in the forms nt and nn alone, and there only where the inner size exceeds 256: wider tiles take
/// shorter chunks of it (cl/common/register_tile.h).
inline constexpr std::array<RegisterTile, 9> register_tiles = {{
    {"tile_6x16", 6, 1},  // 12 sums, 2 columns and a broadcast in 16 registers of 8 floats (AVX2)
    {"tile_6x64", 6, 4},  // 24 sums, 4 columns and a broadcast in 32 registers of 16 floats (AVX-512)
    {"tile_4x16", 4, 1},
    {"tile_4x32", 4, 2},
    {"tile_6x32", 6, 2},
    {"tile_8x32", 8, 2},
    {"tile_12x32", 12, 2},  // 24 sums of AVX-512, 2 columns
    {"tile_14x32", 14, 2},  // 28 sums, 2 columns: all but one of 32 registers
    {"tile_8x48", 8, 3},    // 24 sums, 3 columns
}};

/// Whether the second fits.
inline bool has_wide_registers(const DeviceCaps& caps) { return caps.native_float_width >= 16; }

/// Why a device, or activations of that type, can't do with register tiles, if so.
std::optional<std::string> refuse_register_tiles(const DeviceCaps& caps, DType storage = DType::f32);
/// The tiles in a device's order of preference, all with the same refusal.
std::vector<Candidate> register_tile_candidates(const DeviceCaps& caps, const std::optional<std::string>& refusal);
/// The tile of that name.
const RegisterTile& register_tile(std::string_view name);

/// How a product's work is dealt: blocks of rows (multiples of the tile's) and of panels (its columns) for each slice
/// of the inner size.
struct RegisterTileSplit {
  size_t slices, inner_per_slice;
  size_t row_blocks, rows_per_block;
  size_t panel_blocks, panels_per_block;
};
/// The macros of a tile's kernels.
KernelSpec spec_of(const RegisterTile& tile);
RegisterTileSplit split_register_tiles(const RegisterTile& tile, const GemmShape& shape, unsigned compute_units);
/// c (m, n) = the sum of what `slices` holds, a matrix for each slice.
void sum_register_tile_slices(Queue& queue, const RegisterTile& tile, const GemmShape& shape, size_t count,
                              GradMode mode, const Buffer& c, const Buffer& slices);

size_t register_tile_workspace_bytes(const GemmShape& shape);

void gemm_register_tile(Queue& queue, const RegisterTile& tile, const GemmShape& shape, const Buffer& a,
                        const Buffer& b, const Buffer* bias, GradMode mode, const Buffer& c, const Buffer& workspace);

}  // namespace vitcl::ops
