#include "launch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vitcl/backend/buffer.hpp"
#include "vitcl/ops/implementation.hpp"

namespace vitcl::ops {
namespace {

constexpr size_t vector_width = 16;
// Enough work-items to balance a few cores, too few for their start-up to show (about 0.1 us each on PoCL).
constexpr size_t target_items = 32;
constexpr size_t least_chunk = 1024;  // elements: shorter chunks cost more to start than to compute
constexpr size_t items_group = 64;

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

KernelSpec with_storage(KernelSpec&& spec, DType storage, std::string_view macro) {
  return storage == DType::f16 ? std::move(spec).define(macro, 16) : std::move(spec);
}

std::optional<std::string> refuse_half(DType storage) {
  if (storage == DType::f16) return "it keeps float32 alone";
  return {};
}

std::string shape_name(std::string sizes, DType storage) {
  return storage == DType::f16 ? std::move(sizes) + "_f16" : std::move(sizes);
}

std::vector<Candidate> vector_or_plain(const DeviceCaps& caps, std::string_view vectors, std::string_view plain,
                                       DType storage) {
  std::vector<Candidate> candidates = {{std::string(vectors), refuse_half(storage)}, {std::string(plain), {}}};
  if (caps.small_kernels_only) candidates[0].refusal = "the device's compiler can't digest its float16 loops";
  if (caps.type != DeviceType::cpu) std::swap(candidates[0], candidates[1]);
  return candidates;
}

ElementSplit split_elements(std::string_view op, Device& device, size_t elements, size_t rows, size_t reads,
                            DType storage) {
  const DeviceCaps& caps = device.caps();
  const auto sizes = rows == 1 ? fmt::format("{}", elements) : fmt::format("{}x{}", rows, elements);
  const OpShape key{std::string(op), shape_name(sizes, storage)};
  if (choose_implementation(device, key, [&] { return vector_or_plain(caps, "chunks", "items", storage); }) ==
      "items") {
    const size_t group = std::min({items_group, caps.max_work_group, elements});
    return {1, 1, {align_up(elements, group), rows}, {group, 1}, storage};
  }
  const size_t items_a_row = divide_up(target_items, rows);
  const size_t chunk =
      align_up(std::max(divide_up(elements, items_a_row), divide_up(least_chunk, reads)), vector_width);
  return {vector_width, chunk, {divide_up(elements, chunk), rows}, {1, 1}, storage};
}

bool takes_whole_rows(std::string_view op, Device& device, size_t rows, size_t size, DType storage) {
  const OpShape key{std::string(op), shape_name(fmt::format("{}x{}", rows, size), storage)};
  const auto candidates = [&] { return vector_or_plain(device.caps(), "rows", "work_group", storage); };
  return choose_implementation(device, key, candidates) == "rows";
}

size_t row_group(const DeviceCaps& caps, size_t size) {
  constexpr size_t least = 16, most = 256;
  size_t group = least;
  while (group < size && group < most) group *= 2;
  return std::min(group, caps.max_work_group);
}

}  // namespace vitcl::ops
