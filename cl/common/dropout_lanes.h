// Dropout of attention's probabilities for vectors of LANES of them: what cl/attention.cl draws. The probability with
// which query q of a head looks at key k takes word k % 4 of block (head * tokens + q) * ceil(tokens / 4) + k / 4. No
// kernels here.
#ifndef VITCL_COMMON_DROPOUT_LANES_H
#define VITCL_COMMON_DROPOUT_LANES_H

#include "common/dropout.h"
#include "common/lanes.h"

// Each lane's row of draws, and the random block from which the lane counts.
typedef struct {
  uint seed_low[LANES], seed_high[LANES], sample[LANES], epoch[LANES], block[LANES];
} LaneDraws;

// As mul_hi, by the products of 64 bits that CPUs have for vectors.
inline uint8 high_product(uint8 x, uint8 y) { return convert_uint8((convert_ulong8(x) * convert_ulong8(y)) >> 32); }

inline uint blocks_of_row(int tokens) { return (uint)(tokens + 3) / 4u; }

inline void set_lane(LaneDraws* lanes, int l, const __global int* draw, uint block) {
  lanes->seed_low[l] = (uint)draw[0];
  lanes->seed_high[l] = (uint)draw[1];
  lanes->sample[l] = (uint)draw[2];
  lanes->epoch[l] = (uint)draw[3];
  lanes->block[l] = block;
}

// factor[w] = the factors of word w of the blocks that lie `offset` behind the lanes' first ones. Eight lanes at a
// time: these products of sixteen leave the registers.
inline void draw_factors(floatL* factor, const LaneDraws* lanes, uint offset, Dropout d) {
  for (int h = 0; h < LANES / 8; ++h) {
    uint8 word[4] = {vload8(h, lanes->block) + offset, vload8(h, lanes->sample), vload8(h, lanes->epoch),
                     (uint8)(DROPOUT_USE + d.use)};
    VITCL_PHILOX_ROUNDS(uint8, high_product, word[0], word[1], word[2], word[3], vload8(h, lanes->seed_low),
                        vload8(h, lanes->seed_high));
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      const int8 dropped = word[w] >> 8 < (uint8)(d.threshold);
      ((float8*)(factor + w))[h] = select((float8)(d.kept), (float8)(0.0f), dropped);
    }
  }
}

// The lanes are queries, of which the first has the number `row` = head * tokens + query in its image: factor[j] is for
// key begin + j, j < keys. begin is a multiple of 4; factor has room for whole blocks.
inline void factors_of_keys(floatL* factor, Dropout d, int image, int row, int begin, int keys, int tokens) {
  LaneDraws lanes;
  for (int l = 0; l < LANES; ++l) set_lane(&lanes, l, d.draws + 4 * image, (uint)(row + l) * blocks_of_row(tokens));
  for (int j = 0; j < keys; j += 4) draw_factors(factor + j, &lanes, (uint)(begin + j) / 4u, d);
}

// The lanes are keys from `first`, a multiple of LANES, on: factor[i] is for the query number row + i, i < queries.
// Blocks of four queries are drawn side by side.
inline void factors_of_queries(floatL* factor, Dropout d, int image, int row, int first, int queries, int tokens) {
  const uint side = LANES / 4, blocks = blocks_of_row(tokens);
  LaneDraws lanes;
  for (uint l = 0; l < LANES; ++l) {
    set_lane(&lanes, l, d.draws + 4 * image, ((uint)row + l / side) * blocks + (uint)first / 4u + l % side);
  }
  for (int i = 0; i < queries; i += 4) {
    floatL drawn[4];
    draw_factors(drawn, &lanes, (uint)i * blocks, d);
    for (int q = 0; q < 4; ++q)
      for (int l = 0; l < LANES; ++l) ((float*)(factor + i + q))[l] = ((const float*)(drawn + l % 4))[q * side + l / 4];
  }
}

#endif
