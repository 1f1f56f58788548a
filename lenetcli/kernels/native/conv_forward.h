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

template <bool WHOLE>
INLINE void put_images(const Conv& a, bool pooled, int count, const Place& to, int o, const Vec* y) {
  float* p = to.y + o * to.channel;
  if (pooled) {
    Best b = best_of(y);
    uint8_t* w = to.winner + o * to.winner_channel;
    if (WHOLE) {
      store(p, b.value);
      store_bytes(w, b.winner);
      fetch(p + AHEAD * a.y.w);
      fetch(w + 4 * AHEAD * a.group);
    } else {
      store_some(p, a.y.n, count, b.value);
      for (int l = 0; l < count; l++) w[l] = b.winner[l];
    }
    return;
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++) {
    if (to.row + q / 2 >= a.rows || to.column + q % 2 >= a.columns) continue;
    Vec v = a.relu ? positive(y[q]) : y[q];
    float* at = p + q / 2 * a.y.h + q % 2 * a.y.w;
    if (WHOLE) {
      store(at, v);
      fetch(at + 2 * AHEAD * a.y.w);
    } else {
      store_some(at, a.y.n, count, v);
    }
  }
}

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

// put(tile row, tile column, out-channel, how many, results) for all tile vectors.
template <int K, class Put>
INLINE void tiles_forward(const Filters& f, const View& s, const float* x, Put put) {
  constexpr int B = MANY_REGISTERS ? 4 : 2;
  for (int i = 0; i < s.rows; i++)
    for (int j = 0; j < s.columns; j++) {
      const float* tile = x + i * s.down + j * s.across;
      auto some = [&](auto block, int o) __attribute__((always_inline)) {
        constexpr int count = decltype(block)::value;
        Vec y[count][4];
        tile_forward<K, count>(f, s, tile, o, y);
        put(i, j, o, count, y);
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

template <int K, bool POOLED>
void images_forward(const Conv& a, const ConvUnit& u, const View& s, const float* x) {
  const Filters f = {a.channels, a.out, a.weight, a.bias};
  tiles_forward<K>(f, s, x, [&](int i, int j, int o, int count, const Vec (*y)[4]) __attribute__((always_inline)) {
    const Place to = place_images(a, u, i, j);
#pragma GCC unroll 4
    for (int k = 0; k < count; k++) put_images<true>(a, POOLED, L, to, o + k, y[k]);
  });
}

}  // namespace
