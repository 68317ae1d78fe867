#include "gemm_register_tile.hpp"

#include <algorithm>
#include <utility>

#include "checks.hpp"
#include "launch.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view program = "gemm_register_tile";

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

// How many parts of the inner size are summed apart. Only dw = dyᵀ x needs them: its inner size is long and its result
// too small to keep a CPU's cores busy. A power of two, of at least 128 rows each, with at most 512 KiB of partial
// sums.
size_t slice_count(const GemmShape& s) {
  if (s.form != GemmForm::tn) return 1;
  constexpr size_t most = 16, least_rows = 128, most_elements = size_t{1} << 17U;
  size_t slices = 1;
  while (slices < most && 2 * slices * least_rows <= s.k && 2 * slices * s.m * s.n <= most_elements) slices *= 2;
  return slices;
}

}  // namespace

std::optional<std::string> refuse_register_tiles(const DeviceCaps& caps, DType storage) {
  if (caps.type == DeviceType::gpu) return "it is made for vector registers that a GPU's work-item does not have";
  if (caps.small_kernels_only) return "the device's compiler can't digest large unrolled kernels";
  return refuse_half(storage);
}

std::vector<Candidate> register_tile_candidates(const DeviceCaps& caps, const std::optional<std::string>& refusal) {
  std::vector<Candidate> candidates;
  for (const RegisterTile& tile : register_tiles) candidates.push_back({std::string(tile.name), refusal});
  if (has_wide_registers(caps)) std::swap(candidates[0], candidates[1]);
  return candidates;
}

const RegisterTile& register_tile(std::string_view name) {
  return *std::ranges::find(register_tiles, name, &RegisterTile::name);
}

KernelSpec spec_of(const RegisterTile& tile) {
  return KernelSpec()
      .define("ROWS", to_int("gemm", "a tile's rows", tile.rows))
      .define("VECTORS", to_int("gemm", "a tile's vectors", tile.vectors));
}

RegisterTileSplit split_register_tiles(const RegisterTile& tile, const GemmShape& s, unsigned compute_units) {
  // Enough items to balance the cores. A block of rows is worth its copy of op(b) from 24 tiles on, and beyond 40 its
  // part of op(a) leaves the second-level cache.
  const size_t items = std::max<size_t>(8, size_t{4} * compute_units);
  constexpr size_t least_tiles = 24, most_tiles = 40;
  RegisterTileSplit split{};
  split.inner_per_slice = divide_up(s.k, slice_count(s));
  split.slices = divide_up(s.k, split.inner_per_slice);
  const size_t tiles = divide_up(s.m, tile.rows), panels = divide_up(s.n, 16 * tile.vectors);
  const size_t wanted = divide_up(items, split.slices);
  const size_t blocks = std::max(std::min(wanted, divide_up(tiles, least_tiles)), divide_up(tiles, most_tiles));
  split.rows_per_block = divide_up(tiles, blocks) * tile.rows;
  split.row_blocks = divide_up(s.m, split.rows_per_block);
  split.panels_per_block = divide_up(panels, std::min(panels, divide_up(wanted, split.row_blocks)));
  split.panel_blocks = divide_up(panels, split.panels_per_block);
  return split;
}

void sum_register_tile_slices(Queue& queue, const RegisterTile& tile, const GemmShape& s, size_t slices, GradMode mode,
                              const Buffer& c, const Buffer& workspace) {
  const size_t count = s.m * s.n;
  constexpr size_t per_item = 64;
  const auto elements = static_cast<double>(count), parts = static_cast<double>(slices);
  queue.launch(queue.device().kernel(program, "gemm_sum_slices", spec_of(tile)),
               {{divide_up(count, per_item)}, {1}, elements * parts, sizeof(float) * elements * (parts + 1)}, workspace,
               c, to_int("gemm", "the number of slices", slices), to_int("gemm", "m n", count), accumulates(mode));
}

size_t register_tile_workspace_bytes(const GemmShape& shape) {
  const size_t slices = slice_count(shape);
  return slices == 1 ? 0 : slices * shape.m * shape.n * sizeof(float);
}

void gemm_register_tile(Queue& queue, const RegisterTile& tile, const GemmShape& s, const Buffer& a, const Buffer& b,
                        const Buffer* bias, GradMode mode, const Buffer& c, const Buffer& workspace) {
  const auto integer = [](size_t size) { return to_int("gemm", "a size", size); };
  const bool transpose_a = s.form == GemmForm::tn, transpose_b = s.form == GemmForm::nt;
  const RegisterTileSplit split = split_register_tiles(tile, s, queue.device().caps().compute_units);
  const bool sliced = split.slices > 1;
  const auto m = static_cast<double>(s.m), n = static_cast<double>(s.n), k = static_cast<double>(s.k);
  const LaunchShape launch{{split.row_blocks, split.panel_blocks, split.slices},
                           {1, 1, 1},
                           2 * m * n * k,
                           sizeof(float) * (m * k + k * n + m * n * static_cast<double>(split.slices))};
  queue.launch(queue.device().kernel(program, "gemm_register_tile", spec_of(tile)), launch, a, b,
               bias == nullptr ? b : *bias, sliced ? workspace : c, integer(s.m), integer(s.n), integer(s.k),
               integer(transpose_a ? 1 : s.k), integer(transpose_a ? s.m : 1), integer(transpose_b ? s.k : s.n),
               int32_t{transpose_b}, integer(split.rows_per_block), integer(split.panels_per_block),
               integer(split.inner_per_slice), int32_t{bias != nullptr}, sliced ? 0 : accumulates(mode));
  if (sliced) sum_register_tile_slices(queue, tile, s, split.slices, mode, c, workspace);
}

}  // namespace vitcl::ops
