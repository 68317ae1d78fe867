#include "launch.hpp"

#include <algorithm>
#include <array>

#include "vitcl/backend/buffer.hpp"
#include "vitcl/ops/implementation.hpp"

namespace vitcl::ops {
namespace {

constexpr size_t vector_width = 16;
// Enough work-items to balance a few cores, too few for their start-up to show (about 0.1 us each on PoCL).
constexpr size_t target_items = 32;
constexpr size_t least_chunk = 1024;  // elements: shorter chunks cost more to start than to compute
constexpr size_t items_group = 64;

/// The first name is for CPU devices, the second for the others.
bool takes_first(std::string_view op, const DeviceCaps& caps, const std::array<std::string_view, 2>& names) {
  const auto forced = forced_implementation(op, names);
  if (!forced.empty()) return forced == names[0];
  return caps.type == DeviceType::cpu && !caps.small_kernels_only;
}

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

ElementSplit split_elements(std::string_view op, const DeviceCaps& caps, size_t elements, size_t rows, size_t reads) {
  static constexpr std::array<std::string_view, 2> names = {"chunks", "items"};
  if (!takes_first(op, caps, names)) {
    const size_t group = std::min({items_group, caps.max_work_group, elements});
    return {1, 1, {align_up(elements, group), rows}, {group, 1}};
  }
  const size_t items_a_row = divide_up(target_items, rows);
  const size_t chunk =
      align_up(std::max(divide_up(elements, items_a_row), divide_up(least_chunk, reads)), vector_width);
  return {vector_width, chunk, {divide_up(elements, chunk), rows}, {1, 1}};
}

bool takes_whole_rows(std::string_view op, const DeviceCaps& caps) {
  static constexpr std::array<std::string_view, 2> names = {"rows", "work_group"};
  return takes_first(op, caps, names);
}

size_t row_group(const DeviceCaps& caps, size_t size) {
  constexpr size_t least = 16, most = 256;
  size_t group = least;
  while (group < size && group < most) group *= 2;
  return std::min(group, caps.max_work_group);
}

}  // namespace vitcl::ops
