// Convolution forward, one tile vector and a few out-channels at a time; see conv.h.
#pragma once

#include "conv_tiles.h"

namespace {

INLINE Vec positive(Vec v) { return choose(v < splat(0), splat(0), v); }  // keeps NaN and -0, as torch's relu does

struct Best {
  Vec value;
  Mask winner;
};

// The largest of four, of equals the first, of NaNs, which beat all numbers, the last; 4 where none is above zero.
INLINE Best best_of(const Vec* y) {
  Best b = {y[0], splat_int(0)};
  const bool nan = any_nan((y[0] + y[1]) + (y[2] + y[3]));
#pragma GCC unroll 3
  for (int q = 1; q < 4; q++) {
    Mask wins = y[q] > b.value;
    if (__builtin_expect(nan, 0)) wins |= y[q] != y[q];
    b.value = choose(wins, y[q], b.value);
    b.winner = wins ? splat_int(q) : b.winner;
  }
  Mask none = b.value <= splat(0);
  b.value = choose(none, splat(0), b.value);
  b.winner = none ? splat_int(4) : b.winner;
  return b;
}

// The one of four that is the winner, 0 where there is none.
INLINE Vec at_winner(const Vec* y, Mask winner) {
  Vec v = {};
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++) v = choose(winner == splat_int(q), y[q], v);
  return v;
}

// Where the outputs of one tile vector go: out-channel 0, image or tile 0 of the vector.
struct Place {
  float* y;
  uint8_t* winner;
  int64_t channel, winner_channel;
  int row, column;  // of the tile's first output (images only)
};

// The vector holds the tile in row i, column j of several images.
INLINE Place place_images(const Conv& a, const ConvUnit& u, int i, int j) {
  i += u.from;
  if (a.pooled)
    return {a.y.data + u.first * a.y.n + i * a.y.h + j * a.y.w,
            a.winner + winner_image(a, u.first) + i * winner_row(a) + (int64_t)j * a.group,
            a.y.c,
            winner_channel(a),
            0,
            0};
  return {a.y.data + u.first * a.y.n + 2 * i * a.y.h + 2 * j * a.y.w, nullptr, a.y.c, 0, 2 * i, 2 * j};
}

INLINE void put_images(const Conv& a, const Place& to, int o, const Vec* y) {
  float* p = to.y + o * to.channel;
  if (a.pooled && a.chosen) {
    store(p, at_winner(y, load_bytes(to.winner + o * to.winner_channel)));
    fetch(p + AHEAD * a.y.w);
    return;
  }
  if (a.pooled) {
    Best b = best_of(y);
    uint8_t* w = to.winner + o * to.winner_channel;
    store(p, b.value);
    store_bytes(w, b.winner);
    fetch(p + AHEAD * a.y.w);
    fetch(w + 4 * AHEAD * a.group);
    return;
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++) {
    if (to.row + q / 2 >= a.rows || to.column + q % 2 >= a.columns) continue;
    float* at = p + q / 2 * a.y.h + q % 2 * a.y.w;
    store(at, a.relu ? positive(y[q]) : y[q]);
    fetch(at + 2 * AHEAD * a.y.w);
  }
}

// Where the results of tile vectors go: into the images, or into the planes of a grid (conv_grid.h), (O, 4, lanes) or
// pooled (O, lanes). Copies, known to stay as they are.
struct Results {
  Conv conv;
  ConvUnit unit;
  float* grid;
  uint8_t* winners;
  int64_t lanes;

  template <int count>
  INLINE void put(int i, int j, int o, const Vec (*y)[4]) const {
    if (!grid) {
      const Place to = place_images(conv, unit, i, j);
#pragma GCC unroll 4
      for (int k = 0; k < count; k++) put_images(conv, to, o + k, y[k]);
    } else if (conv.pooled && !conv.chosen) {
#pragma GCC unroll 4
      for (int k = 0; k < count; k++) {
        const Best b = best_of(y[k]);
        store(grid + (o + k) * lanes + j * L, b.value);
        store_bytes(winners + (o + k) * lanes + j * L, b.winner);
      }
    } else {
#pragma GCC unroll 4
      for (int k = 0; k < count; k++)
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++)
          store(grid + (4 * (o + k) + q) * lanes + j * L, conv.relu ? positive(y[k][q]) : y[k][q]);
    }
  }
};

// What a convolution weighs its channels with: weight (O, C, K, K), bias (O,) or null.
struct Filters {
  int channels, out;
  const float *weight, *bias;
};

// y[k][q] for B out-channels of one tile vector, the sum over all in-channels in registers.
template <int K, int B>
INLINE void tile_forward(const Filters& f, const View& s, const float* x, int o, Vec (*y)[4]) {
  int64_t row[K + 1], column[K + 1];  // known to stay as they are
  for (int i = 0; i <= K; i++) row[i] = s.row[i], column[i] = s.column[i];
  for (int k = 0; k < B; k++)
    for (int q = 0; q < 4; q++) y[k][q] = splat(f.bias ? f.bias[o + k] : 0);
  const int64_t out = (int64_t)f.channels * K * K;
  const float* weight = f.weight + o * out;
  for (int c = 0; c < f.channels; c++, x += s.channel, weight += K * K)
#pragma GCC unroll 4
    for (int u = 0; u < K; u++)
#pragma GCC unroll 8
      for (int v = 0; v < K; v++) {
        const float *upper = x + row[u], *lower = x + row[u + 1];
        Vec p0 = load(upper + column[v]), p1 = load(upper + column[v + 1]);
        Vec p2 = load(lower + column[v]), p3 = load(lower + column[v + 1]);
#pragma GCC unroll 8
        for (int k = 0; k < B; k++) {
          Vec w = splat(weight[k * out + u * K + v]);
          y[k][0] += w * p0;
          y[k][1] += w * p1;
          y[k][2] += w * p2;
          y[k][3] += w * p3;
        }
      }
}

// The results of all tile vectors. One function for all places where they go: its code is most of this file's.
template <int K>
APART void tiles_forward(const Filters& f, const View& s, const float* x, const Results& results) {
  constexpr int B = MANY_REGISTERS ? 4 : 2;
  const Results to = results;
  for (int i = 0; i < s.rows; i++)
    for (int j = 0; j < s.columns; j++) {
      const float* tile = x + i * s.down + j * s.across;
      auto some = [&](auto block, int o) __attribute__((always_inline)) {
        constexpr int count = decltype(block)::value;
        Vec y[count][4];
        tile_forward<K, count>(f, s, tile, o, y);
        to.put<count>(i, j, o, y);
      };
      int o = 0;
      for (; o + B <= f.out; o += B) some(Count<B>(), o);
      if (B > 2 && o + 2 <= f.out) {
        some(Count<2>(), o);
        o += 2;
      }
      if (o < f.out) some(Count<1>(), o);
    }
}

}  // namespace
