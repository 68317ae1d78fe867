#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vitcl::train {

/// The candidate that a misspelt name most likely stands for: the one it is the beginning of, or else the nearest by
/// insertions, deletions, replacements and swaps of neighbours (optimal string alignment, Damerau 1964), if these are
/// at most a third of the name's letters (rounded), or a single one. Nothing where none is so near.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace vitcl::train
