#include "gemm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "checks.hpp"
#include "gemm_register_tile.hpp"
#include "launch.hpp"
#include "vitcl/backend/gemm.hpp"
#include "vitcl/ops/implementation.hpp"

namespace vitcl::ops {
namespace {

constexpr std::string_view clblast = "clblast", local_tile = "local_tile";

double flops(const GemmShape& s) {
  return 2 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
}

double bytes(const GemmShape& s, const GemmTypes& types) {
  return static_cast<double>(size_of(types.a) * s.m * s.k + size_of(types.b) * s.k * s.n +
                             size_of(types.c) * s.m * s.n);
}

void run_clblast(Queue& queue, const GemmShape& s, const Buffer& a, const Buffer& b, const Buffer* bias, GradMode mode,
                 const Buffer& c) {
  if (bias != nullptr) {
    const double moved = sizeof(float) * static_cast<double>(s.m * s.n);
    queue.launch(queue.device().kernel("bias", "bias_rows"), {.global = {s.n, s.m}, .bytes = moved}, *bias, c);
  }
  const bool add = bias != nullptr || mode == GradMode::accumulate;
  const bool transpose_a = s.form == GemmForm::tn, transpose_b = s.form == GemmForm::nt;
  clblast_gemm(queue,
               {.m = s.m,
                .n = s.n,
                .k = s.k,
                .transpose_a = transpose_a,
                .transpose_b = transpose_b,
                .beta = add ? 1.0F : 0.0F,
                .lda = transpose_a ? s.m : s.k,
                .ldb = transpose_b ? s.k : s.n,
                .ldc = s.n},
               a, b, c);
}

// The side of the largest work-group that the device takes, at most 16.
size_t local_tile_side(const DeviceCaps& caps) {
  size_t side = 16;
  const auto fits = [&](size_t s) {
    return s * s <= caps.max_work_group && 2 * s * (s + 1) * sizeof(float) <= caps.local_bytes;
  };
  while (side > 1 && !fits(side)) side /= 2;
  return side;
}

void run_local_tile(Queue& queue, const GemmShape& s, const Buffer& a, const Buffer& b, const Buffer* bias,
                    GradMode mode, const Buffer& c, const GemmTypes& types) {
  const size_t side = local_tile_side(queue.device().caps());
  KernelSpec spec = KernelSpec().define("TILE", static_cast<int64_t>(side));
  for (const auto& [macro, type] : {std::pair("A_BITS", types.a), {"B_BITS", types.b}, {"C_BITS", types.c}}) {
    spec = with_storage(std::exchange(spec, {}), type, macro);
  }
  const auto kernel = queue.device().kernel("gemm_local_tile", "gemm_local_tile", spec);
  const LaunchShape launch{{align_up(s.n, side), align_up(s.m, side)}, {side, side}, flops(s), bytes(s, types)};
  const auto flag = [](bool value) { return int32_t{value}; };
  queue.launch(kernel, launch, a, b, bias == nullptr ? b : *bias, c, to_int("gemm", "m", s.m), to_int("gemm", "n", s.n),
               to_int("gemm", "k", s.k), flag(s.form == GemmForm::tn), flag(s.form == GemmForm::nt),
               flag(bias != nullptr), accumulates(mode));
}

}  // namespace

std::vector<Candidate> gemm_candidates(const DeviceCaps& caps, DType storage) {
  std::vector<Candidate> candidates = register_tile_candidates(caps, refuse_register_tiles(caps, storage));
  const Candidate library{std::string(clblast), refuse_half(storage)}, plain{std::string(local_tile), {}};
  if (caps.type == DeviceType::cpu) {
    candidates.insert(candidates.end(), {plain, library});
  } else {
    candidates.insert(candidates.begin(), {library, plain});
  }
  return candidates;
}

std::string to_string(const GemmShape& shape) {
  constexpr std::array<std::string_view, 3> forms = {"nt", "nn", "tn"};
  return fmt::format("{}_{}x{}x{}", forms[static_cast<size_t>(shape.form)], shape.m, shape.n, shape.k);
}

size_t gemm_workspace_bytes(const DeviceCaps& caps, const GemmShape& shape) {
  return refuse_register_tiles(caps) ? 0 : register_tile_workspace_bytes(shape);
}

void gemm(Queue& queue, const GemmShape& shape, const Buffer& a, const Buffer& b, const Buffer* bias, GradMode mode,
          const Buffer& c, const Buffer& workspace, const GemmTypes& types) {
  Device& device = queue.device();
  const OpShape key{"gemm", shape_name(to_string(shape), types.storage())};
  const std::string& name =
      choose_implementation(device, key, [&] { return gemm_candidates(device.caps(), types.storage()); });
  const auto* tile = std::ranges::find(register_tiles, name, &RegisterTile::name);
  if (tile != register_tiles.end()) return gemm_register_tile(queue, *tile, shape, a, b, bias, mode, c, workspace);
  if (name == clblast) return run_clblast(queue, shape, a, b, bias, mode, c);
  run_local_tile(queue, shape, a, b, bias, mode, c, types);
}

}  // namespace vitcl::ops
