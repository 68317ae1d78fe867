#include "vitcl/data/digits.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <span>
#include <string>
#include <thread>

#include "glyphs.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::data {
namespace {

// All of this is integer arithmetic: lengths in 1/256 pixel, angles and ratios in 1/65536.

constexpr int side = 28;
constexpr int pixel = 256;
constexpr int64_t one = 65536;
constexpr int pixels_per_image = side * side;

struct Point {
  int x, y;
};

/// Uniform in {low, ..., high}.
int between(Random& random, int low, int high) {
  return low + static_cast<int>(random.below(static_cast<uint32_t>(high - low + 1)));
}

/// Between -reach and reach, small values more often: the sum of two uniform numbers.
int around_zero(Random& random, int reach) {
  return (between(random, -reach, reach) + between(random, -reach, reach)) / 2;
}

int integer_sqrt(int value) {
  int root = 0;
  for (int bit = 1 << 15; bit != 0; bit >>= 1)
    if (int64_t{root + bit} * (root + bit) <= value) root += bit;
  return root;
}

/// What makes one image's handwriting.
struct Hand {
  int64_t xx, xy, yx, yy;  // glyph box to pixels: rotation, slant and size
  Point shift;             // where the middle of the glyph's box goes
  int wobble;              // reach of the displacement of each control point, in parts of the glyph's box
  int pen;                 // half the line's width
  int ink;                 // 0 .. 255
  int noise;               // reach of the noise added to each pixel
};

Hand draw_hand(Random& random) {
  constexpr int most_rotation = 22900, most_slant = 26200;  // 20 degrees; a slope of 0.4
  const int64_t angle = around_zero(random, most_rotation), slant = around_zero(random, most_slant);
  const int64_t width = between(random, 27, 49), height = between(random, 36, 56);  // of 1/100 box: 11-19, 14-22 pixels
  const int64_t square = angle * angle / one;
  const int64_t sine = angle - angle * square / (6 * one);
  const int64_t cosine = one - square / 2 + square * square / (24 * one);
  Hand hand{};
  hand.xx = cosine * width;
  hand.xy = -(sine + slant) * height;
  hand.yx = sine * width;
  hand.yy = (cosine - sine * slant / one) * height;
  hand.shift = {side * pixel / 2 + around_zero(random, 4 * pixel), side * pixel / 2 + around_zero(random, 4 * pixel)};
  hand.wobble = between(random, 0, 8);
  hand.pen = between(random, 150, 410);
  hand.ink = between(random, 150, 255);
  hand.noise = between(random, 0, 60);
  return hand;
}

Point place(GlyphPoint point, const Hand& hand, Random& random) {
  const int64_t x = point.x - 50 + around_zero(random, hand.wobble);
  const int64_t y = point.y - 50 + around_zero(random, hand.wobble);
  return {hand.shift.x + static_cast<int>((hand.xx * x + hand.xy * y) / one),
          hand.shift.y + static_cast<int>((hand.yx * x + hand.yy * y) / one)};
}

class Canvas {
 public:
  explicit Canvas(int pen)
      : inner_((pen - pixel / 2) * (pen - pixel / 2)),
        outer_((pen + pixel / 2) * (pen + pixel / 2)),
        reach_(pen + pixel / 2) {}

  const std::array<uint8_t, pixels_per_image>& coverage() const { return coverage_; }

  /// Covers the pixels near the line from a to b; the edge is one pixel wide and soft.
  void line(Point a, Point b) {
    const int dx = b.x - a.x, dy = b.y - a.y;
    const int square = dx * dx + dy * dy, length = integer_sqrt(square);
    const int left = first(std::min(a.x, b.x)), right = last(std::max(a.x, b.x));
    const int top = first(std::min(a.y, b.y)), bottom = last(std::max(a.y, b.y));
    for (int y = top; y <= bottom; ++y)
      for (int x = left; x <= right; ++x) {
        const int px = x * pixel + pixel / 2 - a.x, py = y * pixel + pixel / 2 - a.y;
        const int along = px * dx + py * dy;
        int distance2 = 0;
        if (along <= 0) {
          distance2 = px * px + py * py;
        } else if (along >= square) {
          distance2 = (px - dx) * (px - dx) + (py - dy) * (py - dy);
        } else {
          const int across = (px * dy - py * dx) / length;
          distance2 = across * across;
        }
        cover(y * side + x, distance2);
      }
  }

 private:
  int first(int lowest) const { return std::max((lowest - reach_) / pixel, 0); }
  int last(int highest) const { return std::min((highest + reach_) / pixel, side - 1); }

  void cover(int index, int distance2) {
    if (distance2 >= outer_) return;
    const int value = distance2 <= inner_ ? 255 : 255 * ((outer_ - distance2) / 16) / ((outer_ - inner_) / 16);
    uint8_t& covered = coverage_[static_cast<size_t>(index)];
    covered = static_cast<uint8_t>(std::max<int>(covered, value));
  }

  std::array<uint8_t, pixels_per_image> coverage_{};
  int inner_, outer_, reach_;  // the squared distances that are covered fully and no more; the second's root
};

/// The Catmull-Rom spline from b to c at quarter / 4; a and d are the neighbours.
int spline(int a, int b, int c, int d, int quarter) {
  const int t = quarter;
  const int sum =
      128 * b + 16 * t * (c - a) + 4 * t * t * (2 * a - 5 * b + 4 * c - d) + t * t * t * (3 * (b - c) + d - a);
  return sum >> 7;
}

void draw_stroke(Canvas& canvas, std::span<const Point> points, bool smooth) {
  const auto at = [&](size_t i) { return points[std::min(i, points.size() - 1)]; };
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    const Point a = points[i == 0 ? 0 : i - 1], b = points[i], c = points[i + 1], d = at(i + 2);
    if (!smooth) {
      canvas.line(b, c);
      continue;
    }
    Point from = b;
    for (int quarter = 1; quarter <= 4; ++quarter) {
      const Point to{spline(a.x, b.x, c.x, d.x, quarter), spline(a.y, b.y, c.y, d.y, quarter)};
      canvas.line(from, to);
      from = to;
    }
  }
}

/// Draws an image of `digit` into pixels_per_image bytes.
void draw(uint32_t digit, Random& random, uint8_t* image) {
  const std::span<const Glyph> styles = glyphs_of(digit);
  const Glyph glyph = styles[random.below(static_cast<uint32_t>(styles.size()))];
  const Hand hand = draw_hand(random);
  Canvas canvas(hand.pen);
  for (const Stroke& stroke : glyph) {
    std::array<Point, most_stroke_points> points{};
    for (size_t i = 0; i < stroke.points.size(); ++i) points[i] = place(stroke.points[i], hand, random);
    draw_stroke(canvas, std::span(points).first(stroke.points.size()), stroke.smooth);
  }
  uint32_t bits = 0;
  for (size_t i = 0; i < pixels_per_image; ++i) {
    if (i % 4 == 0) bits = random.next();
    const int noise = (static_cast<int>(bits & 0xFFU) - 128) * hand.noise / 128;
    bits >>= 8;
    image[i] = static_cast<uint8_t>(std::clamp(canvas.coverage()[i] * hand.ink / 255 + noise, 0, 255));
  }
}

/// Draws the images first .. first + count - 1 of the seed's sequence, in pieces that idle threads take.
Split draw_split(uint64_t seed, uint64_t first, size_t count) {
  Split split{count, 1, side, std::vector<uint8_t>(count * pixels_per_image), std::vector<int32_t>(count)};
  std::atomic<size_t> next{0};
  const auto work = [&] {
    constexpr size_t piece = 256;
    for (size_t begin = next.fetch_add(piece); begin < count; begin = next.fetch_add(piece))
      for (size_t i = begin; i < std::min(begin + piece, count); ++i) {
        Random random(seed, first + i);
        const uint32_t digit = random.below(10);
        split.labels[i] = static_cast<int32_t>(digit);
        draw(digit, random, split.pixels.data() + i * pixels_per_image);
      }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  return split;
}

}  // namespace

Dataset draw_digits(uint64_t seed, size_t train, size_t test) {
  constexpr uint64_t test_begins = uint64_t{1} << 32;  // far from any training image
  Dataset dataset;
  dataset.name = "digits";
  dataset.source = "drawn by vitcl from seed " + std::to_string(seed);
  dataset.train = draw_split(seed, 0, train);
  dataset.test = draw_split(seed, test_begins, test);
  dataset.classes = 10;
  for (int digit = 0; digit < 10; ++digit) dataset.class_names.push_back(std::to_string(digit));
  measure_normalisation(dataset);
  return dataset;
}

}  // namespace vitcl::data
