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
    if (WHOLE)
      store(at, v);
    else
      store_some(at, a.y.n, count, v);
  }
}

// The vector holds neighbouring tiles of one image.
INLINE Place place_patches(const Conv& a, const ConvUnit& u, const Lanes& at) {
  float* y = a.y.data + u.first * a.y.n;
  if (!a.pooled) return {y, nullptr, a.y.c, 0, 0, 0};
  return {y + at.first * a.y.w,  // rows follow each other without a gap
          a.winner + winner_image(a, u.first) + at.first * a.group, a.y.c, winner_channel(a), 0, 0};
}

INLINE void put_patches(const Conv& a, const Lanes& at, const Place& place, int o, const Vec* y) {
  float *to = place.y + o * place.channel, value[L];
  if (a.pooled) {
    Best b = best_of(y);
    store(value, b.value);
    uint8_t winner[L];
    store_bytes(winner, b.winner);
    uint8_t* w = place.winner + o * place.winner_channel;
    if (a.batch == 1 && at.count == L) {
      memcpy(to, value, sizeof value);
      memcpy(w, winner, sizeof winner);
      return;
    }
    auto spread_out = [&](int count) __attribute__((always_inline)) {
      for (int l = 0; l < count; l++) to[l * a.y.w] = value[l];
      for (int l = 0; l < count; l++) w[(int64_t)l * a.group] = winner[l];
    };
    at.count == L ? spread_out(L) : spread_out(at.count);
    return;
  }
  for (int q = 0; q < 4; q++) {
    store(value, a.relu ? positive(y[q]) : y[q]);
    for (int l = 0; l < at.count; l++) {
      const int row = 2 * at.row[l] + q / 2, column = 2 * at.column[l] + q % 2;
      if (row < a.rows && column < a.columns) to[row * a.y.h + column * a.y.w] = value[l];
    }
  }
}

// y[k][q] for B out-channels of one tile vector, the sum over all in-channels in registers.
template <int K, int B>
INLINE void tile_forward(const Conv& a, const View& s, const float* x, int o, Vec (*y)[4]) {
  for (int k = 0; k < B; k++)
    for (int q = 0; q < 4; q++) y[k][q] = splat(a.bias ? a.bias[o + k] : 0);
  const int64_t out = (int64_t)a.channels * K * K;
  const float* weight = a.weight + o * out;
  for (int c = 0; c < a.channels; c++, x += s.channel, weight += K * K)
#pragma GCC unroll 4
    for (int u = 0; u < K; u++)
#pragma GCC unroll 8
      for (int v = 0; v < K; v++) {
        const float* p = x + u * s.row + v * s.column;
        Vec p0 = load(p), p1 = load(p + s.column), p2 = load(p + s.row), p3 = load(p + s.row + s.column);
#pragma GCC unroll 8
        for (int k = 0; k < B; k++) {
          Vec f = splat(weight[k * out + u * K + v]);
          y[k][0] += f * p0;
          y[k][1] += f * p1;
          y[k][2] += f * p2;
          y[k][3] += f * p3;
        }
      }
}

// Either, where they do not fill a vector or have no one place. Apart from the sums, whose registers a call would cost.
APART void put_some(const Conv& a, const ConvUnit& u, const Lanes& at, const Place& to, int o, int end, const Vec* y) {
  for (; o < end; o++, y += 4)
    u.patches ? put_patches(a, at, to, o, y) : put_images<false>(a, a.pooled, u.count, to, o, y);
}

enum Kind { POOLED, PLAIN, SOME };

template <int K, Kind KIND>
void tiles_forward(const Conv& a, const ConvUnit& u, const View& s, const Geometry& g, const float* x) {
  constexpr int B = MANY_REGISTERS ? 4 : 2;
  auto out_channels = [&](const float* tile, auto put) __attribute__((always_inline)) {
    auto some = [&](auto block, int o) __attribute__((always_inline)) {
      constexpr int count = decltype(block)::value;
      Vec y[count][4];
      tile_forward<K, count>(a, s, tile, o, y);
      put(o, count, y);
    };
    int o = 0;
    for (; o + B <= a.out; o += B) some(Count<B>(), o);
    if (B > 2 && o + 2 <= a.out) {
      some(Count<2>(), o);
      o += 2;
    }
    if (o < a.out) some(Count<1>(), o);
  };
  for (int i = 0; i < s.rows; i++)
    for (int j = 0; j < s.columns; j++) {
      const Lanes at(u, g, j);
      const Place to = u.patches ? place_patches(a, u, at) : place_images(a, u, i, j);
      out_channels(x + i * s.down + j * s.across, [&](int o, int count, const Vec (*y)[4]) __attribute__((always_inline)) {
        if (KIND == SOME) return put_some(a, u, at, to, o, o + count, y[0]);
#pragma GCC unroll 4
        for (int k = 0; k < count; k++) put_images<true>(a, KIND == POOLED, L, to, o + k, y[k]);
      });
    }
}

}  // namespace
