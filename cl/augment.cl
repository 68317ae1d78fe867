// Random changes to the training images while they are fetched: an affine map, brightness and contrast, an erased
// rectangle. First a work-item an image draws the numbers, then every pixel follows them.
#include "common/random.h"
#include "common/step.h"

// What is drawn for one image; mirrors vitcl::ops::augmentation_words and src/selftest/reference/augment.hpp. The
// result's pixel (x, y) comes from (xx x + xy y + x0, yx x + yy y + y0); its value v in [0, 1] becomes
// gain v + pull mean; what lies in the rectangle [left, right) x [top, bottom) is the mean.
struct Augmentation {
  float xx, xy, x0, yx, yy, y0;
  float gain, pull;
  float left, top, right, bottom;
};

// Tells these random numbers from other uses of the seed: "AUGM".
#define AUGMENT_USE 0x4155474Du

static inline uint4 draw_words(ulong seed, uint block, uint sample, uint epoch) {
  return vitcl_philox4x32((uint4)(block, sample, epoch, AUGMENT_USE), vitcl_philox_key(seed));
}

// In [-limit, limit).
static inline float draw_signed(uint word, float limit) { return limit * (2.0f * vitcl_uniform(word) - 1.0f); }

// In 0 .. bound - 1.
static inline int draw_below(uint word, int bound) { return (int)mul_hi(word, (uint)bound); }

// Degrees as radians.
static inline float radians_of(float degrees) { return degrees * 0.017453292519943295f; }

// The inverse of: mirror, shear, zoom, turn (all about the centre), then shift.
static inline void draw_map(struct Augmentation* drawn, uint4 shape, uint4 place, float hflip, float degrees,
                            float translate, float scale, float shear, int crop_padding, int side) {
  const float angle = radians_of(draw_signed(shape.y, degrees));
  const float zoom = 1.0f + draw_signed(shape.z, scale), slope = tan(radians_of(draw_signed(shape.w, shear)));
  const float c = cos(angle), s = sin(angle), mirror = vitcl_uniform(shape.x) < hflip ? -1.0f : 1.0f;
  drawn->xx = mirror * (c + slope * s) / zoom;
  drawn->xy = mirror * (s - slope * c) / zoom;
  drawn->yx = -s / zoom;
  drawn->yy = c / zoom;
  const int crops = 2 * crop_padding + 1;
  const float centre = 0.5f * (float)(side - 1);
  const float x =
      centre + draw_signed(place.x, translate * (float)side) + (float)(draw_below(place.z, crops) - crop_padding);
  const float y =
      centre + draw_signed(place.y, translate * (float)side) + (float)(draw_below(place.w, crops) - crop_padding);
  drawn->x0 = centre - (drawn->xx * x + drawn->xy * y);
  drawn->y0 = centre - (drawn->yx * x + drawn->yy * y);
}

// A rectangle whose sides are up to half the image's, anywhere in it; an empty one where nothing is erased.
static inline void draw_rectangle(struct Augmentation* drawn, uint4 size, uint last, float reprob, int side) {
  const int most = max(1, side / 2), width = 1 + draw_below(size.y, most), height = 1 + draw_below(size.z, most);
  const int left = draw_below(size.w, side - width + 1), top = draw_below(last, side - height + 1);
  const int erased = vitcl_uniform(size.x) < reprob;
  drawn->left = erased ? (float)left : 0.0f;
  drawn->top = erased ? (float)top : 0.0f;
  drawn->right = erased ? (float)(left + width) : 0.0f;
  drawn->bottom = erased ? (float)(top + height) : 0.0f;
}

// A work-item an image.
__kernel void draw_augmentation(ulong seed, float hflip, float degrees, float translate, float scale, float shear,
                                int crop_padding, float color_jitter, float reprob, const __global int* epoch,
                                const __global int* order, const __global struct StepEntry* table,
                                const __global int* cursor, __global struct Augmentation* drawn_images, int side) {
  const size_t image = get_global_id(0);
  const uint sample = (uint)vitcl_step_sample(order, table, cursor, image), pass = (uint)*epoch;
  const uint4 colour = draw_words(seed, 3, sample, pass);
  struct Augmentation drawn;
  draw_map(&drawn, draw_words(seed, 0, sample, pass), draw_words(seed, 1, sample, pass), hflip, degrees, translate,
           scale, shear, crop_padding, side);
  draw_rectangle(&drawn, draw_words(seed, 2, sample, pass), colour.x, reprob, side);
  const float contrast = 1.0f + draw_signed(colour.z, color_jitter);
  drawn.gain = contrast * (1.0f + draw_signed(colour.y, color_jitter));
  drawn.pull = 1.0f - contrast;
  drawn_images[image] = drawn;
}

static inline float pixel_or_black(const __global uchar* plane, int x, int y, int side) {
  return x >= 0 && x < side && y >= 0 && y < side ? (float)plane[y * side + x] : 0.0f;
}

// Bilinear; black around the image. Positions further out are as black as those next to it.
static inline float sample_plane(const __global uchar* plane, float x, float y, int side) {
  x = clamp(x, -1.0f, (float)side);
  y = clamp(y, -1.0f, (float)side);
  const int left = (int)floor(x), top = (int)floor(y);
  const float across = x - (float)left, down = y - (float)top;
  const float upper =
      pixel_or_black(plane, left, top, side) * (1.0f - across) + pixel_or_black(plane, left + 1, top, side) * across;
  const float lower = pixel_or_black(plane, left, top + 1, side) * (1.0f - across) +
                      pixel_or_black(plane, left + 1, top + 1, side) * across;
  return upper * (1.0f - down) + lower * down;
}

// Dimension 0: the pixel in a channel, rounded up to whole work-groups; 1: the channel; 2: the image. `places` tells
// where in `pixels` a sample is.
__kernel void load_augmented(const __global uchar* pixels, const __global int* places,
                             const __global struct StepEntry* table, const __global int* cursor,
                             const __global float* mean, const __global float* deviation,
                             const __global struct Augmentation* drawn_images, __global float* images, int side) {
  const int pixel = (int)get_global_id(0), x = pixel % side, y = pixel / side;
  if (y >= side) return;
  const size_t channel = get_global_id(1), image = get_global_id(2), channels = get_global_size(1);
  const size_t sample = (size_t)vitcl_step_sample(places, table, cursor, image), plane = (size_t)side * (size_t)side;
  const struct Augmentation drawn = drawn_images[image];
  const float column = (float)x, row = (float)y;
  const float value =
      sample_plane(pixels + (sample * channels + channel) * plane, drawn.xx * column + drawn.xy * row + drawn.x0,
                   drawn.yx * column + drawn.yy * row + drawn.y0, side) /
      255.0f;
  const float lit = clamp(drawn.gain * value + drawn.pull * mean[channel], 0.0f, 1.0f);
  const int erased = column >= drawn.left && column < drawn.right && row >= drawn.top && row < drawn.bottom;
  images[(image * channels + channel) * plane + (size_t)pixel] =
      erased ? 0.0f : (lit - mean[channel]) / deviation[channel];
}
