#pragma once

#include <array>
#include <string>

#include "selftest/fill.hpp"

namespace vitcl::selftest {

/// Which of the tokens behind the leading ones are visible.
enum class TokenMask { none, all, random, one, nothing };

/// The part of a case's name that says so: "_random_mask_leading2".
inline std::string mask_suffix(TokenMask mask, size_t leading) {
  constexpr std::array names = {"", "_all_visible", "_random_mask", "_one_visible", "_all_hidden"};
  const bool special = mask != TokenMask::none && leading != 1;
  return names[static_cast<size_t>(mask)] + (special ? "_leading" + std::to_string(leading) : "");
}

/// Fills a mask (batch, columns).
inline Fill mask_fill(TokenMask mask, size_t columns) {
  return [=](SplitMix& random, size_t index) -> double {
    if (mask == TokenMask::random) return static_cast<double>(random.integer(0, 1));
    if (mask == TokenMask::one) return index % columns == columns / 2 ? 1 : 0;
    return mask == TokenMask::all ? 1 : 0;
  };
}

}  // namespace vitcl::selftest
