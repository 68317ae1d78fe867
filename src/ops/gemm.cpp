#include "gemm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "checks.hpp"
#include "gemm_register_tile.hpp"
#include "vitcl/backend/gemm.hpp"
#include "vitcl/ops/implementation.hpp"

namespace vitcl::ops {
namespace {

constexpr std::array<std::string_view, 4> names = {"register_tile", "register_tile_wide", "clblast", "local_tile"};
enum Implementation { register_tile, register_tile_wide, clblast, local_tile };

double flops(const GemmShape& s) {
  return 2 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
}

double bytes(const GemmShape& s) {
  return sizeof(float) *
         (static_cast<double>(s.m * s.k) + static_cast<double>(s.k * s.n) + static_cast<double>(s.m * s.n));
}

std::vector<Implementation> preference(const DeviceCaps& caps) {
  if (caps.type != DeviceType::cpu) return {clblast, local_tile, register_tile, register_tile_wide};
  if (has_wide_registers(caps)) return {register_tile_wide, register_tile, local_tile, clblast};
  return {register_tile, register_tile_wide, local_tile, clblast};
}

std::optional<std::string> refusal(Implementation implementation, const DeviceCaps& caps) {
  if (implementation != register_tile && implementation != register_tile_wide) return {};
  if (caps.type == DeviceType::gpu) return "it is made for vector registers that a GPU's work-item does not have";
  if (caps.small_kernels_only) return "the device's compiler can't digest large unrolled kernels";
  return {};
}

Implementation choose(const DeviceCaps& caps) {
  const auto forced = forced_implementation("gemm", names);
  for (const Implementation candidate : preference(caps)) {
    const auto reason = refusal(candidate, caps);
    if (forced.empty() && !reason) return candidate;
    if (forced != names[candidate]) continue;
    if (!reason) return candidate;
    throw UsageError(fmt::format("[gemm] VITCL_IMPL asks for {}, which refuses this device: {}", forced, *reason));
  }
  return local_tile;
}

RegisterTile tile_of(Implementation implementation) {
  return implementation == register_tile_wide ? wide_register_tile : narrow_register_tile;
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
                    GradMode mode, const Buffer& c) {
  const size_t side = local_tile_side(queue.device().caps());
  const auto kernel = queue.device().kernel("gemm_local_tile", "gemm_local_tile",
                                            KernelSpec().define("TILE", static_cast<int64_t>(side)));
  const LaunchShape launch{{align_up(s.n, side), align_up(s.m, side)}, {side, side}, flops(s), bytes(s)};
  const auto flag = [](bool value) { return int32_t{value}; };
  queue.launch(kernel, launch, a, b, bias == nullptr ? b : *bias, c, to_int("gemm", "m", s.m), to_int("gemm", "n", s.n),
               to_int("gemm", "k", s.k), flag(s.form == GemmForm::tn), flag(s.form == GemmForm::nt),
               flag(bias != nullptr), accumulates(mode));
}

}  // namespace

std::vector<GemmCandidate> gemm_candidates(const DeviceCaps& caps) {
  std::vector<GemmCandidate> candidates;
  for (const Implementation candidate : preference(caps)) {
    candidates.push_back({std::string(names[candidate]), refusal(candidate, caps)});
  }
  return candidates;
}

size_t gemm_workspace_bytes(const DeviceCaps& caps, const GemmShape& shape) {
  return refusal(register_tile, caps) ? 0 : register_tile_workspace_bytes(shape);
}

void gemm(Queue& queue, const GemmShape& shape, const Buffer& a, const Buffer& b, const Buffer* bias, GradMode mode,
          const Buffer& c, const Buffer& workspace) {
  const Implementation implementation = choose(queue.device().caps());
  switch (implementation) {
    case register_tile:
    case register_tile_wide:
      return gemm_register_tile(queue, tile_of(implementation), shape, a, b, bias, mode, c, workspace);
    case clblast:
      return run_clblast(queue, shape, a, b, bias, mode, c);
    case local_tile:
      return run_local_tile(queue, shape, a, b, bias, mode, c);
  }
}

}  // namespace vitcl::ops
