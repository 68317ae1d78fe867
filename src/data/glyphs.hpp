#pragma once

#include <cstdint>
#include <span>

namespace vitcl::data {

/// A control point in a box of 0 .. 100, y downwards.
struct GlyphPoint {
  int8_t x, y;
};

/// A line drawn without lifting the pen. A smooth one runs through its points as a Catmull-Rom spline.
struct Stroke {
  std::span<const GlyphPoint> points;
  bool smooth = true;
};

/// One way of writing a digit.
using Glyph = std::span<const Stroke>;

/// The ways of writing `digit`, 0 to 9.
std::span<const Glyph> glyphs_of(uint32_t digit);

/// The most points that a stroke has.
constexpr int most_stroke_points = 16;

}  // namespace vitcl::data
