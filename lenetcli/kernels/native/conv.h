// Convolution of stride 1 on vectors of images, forward and backward, alone or with relu and 2x2 max-pooling.
//
//     y[o, p, q] = bias[o] + sum over c, u, v of weight[o, c, u, v] * x[c, p + u, q + v]
//
// The unit of work is a tile: the 2x2 outputs (p, q), (p, q + 1), (p + 1, q), (p + 1, q + 1), numbered 0 to 3, that are
// computed from one patch of (K + 1) x (K + 1) pixels kept in registers. A register holds the same pixel of L images or,
// for the few images that do not fill a register, of L neighbouring tiles of one image ("patches"): the input is first
// packed into one of these two forms, where the inner loops find it through a View, whatever its memory order was.
// Reference twins: lenetcli/kernels/conv.py, lenetcli/kernels/fused.py.
#pragma once

#include "kernels.h"
#include "vector.h"

namespace {

// Where a packed image has its tiles and pixels, in floats.
struct View {
  int rows, columns;           // of the grid of tile vectors
  int64_t down, across;        // from one tile vector to the next
  int64_t channel, row, column;  // from one pixel of a patch to the next
};

struct Geometry {
  int tile_rows, tile_columns;  // of the whole output
  int from, count;              // tile rows of this unit
  int pixel_rows, pixel_columns;  // of the packed input under them
  int vectors;                  // tile vectors of this unit
  int side;                     // of a patch
};

INLINE int tiles(const Conv& a, int size) { return a.pooled ? size / 2 : (size + 1) / 2; }

INLINE Geometry geometry(const Conv& a, const ConvUnit& u) {
  Geometry g;
  g.tile_rows = tiles(a, a.rows);
  g.tile_columns = tiles(a, a.columns);
  g.from = u.from;
  g.count = u.to - u.from;
  g.side = a.kernel + 1;
  g.pixel_rows = 2 * g.count + a.kernel - 1;
  g.pixel_columns = 2 * g.tile_columns + a.kernel - 1;
  int n = g.count * g.tile_columns;
  g.vectors = u.patches ? (n + L - 1) / L : n;
  return g;
}

INLINE View view(const Geometry& g, bool patches) {
  if (patches) {
    int64_t pixel = (int64_t)g.vectors * L;
    return {1, g.vectors, 0, L, pixel * g.side * g.side, pixel * g.side, pixel};
  }
  int64_t row = (int64_t)g.pixel_columns * L;
  return {g.count, g.tile_columns, 2 * row, 2 * L, row * g.pixel_rows, row, L};
}

// Packing -------------------------------------------------------------------------------------------------------------

// Images `first`.. of `x` with their border of zeros, one image a lane -> (C, pixel rows, pixel columns, L); with CHECK,
// whether all pixels are finite.
template <bool WHOLE, bool CHECK>
bool pack_images(const Conv& a, const ConvUnit& u, const Geometry& g, float* out) {
  const Image& x = a.x;
  const int left = a.pad_w < g.pixel_columns ? a.pad_w : g.pixel_columns;
  const int right = a.pad_w + a.width < g.pixel_columns ? a.pad_w + a.width : g.pixel_columns;
  Vec nothing[2] = {};  // 0 times infinity is NaN
  for (int c = 0; c < a.channels; c++)
    for (int i = 0; i < g.pixel_rows; i++, out += (int64_t)g.pixel_columns * L) {
      const int h = 2 * g.from + i - a.pad_h;
      if (h < 0 || h >= a.height) {
        memset(out, 0, sizeof(float) * L * g.pixel_columns);
        continue;
      }
      memset(out, 0, sizeof(float) * L * left);
      const float* p = x.data + u.first * x.n + c * x.c + h * x.h;
      for (int j = left; j < right; j++, p += x.w) {
        Vec v = WHOLE ? load(p) : load_some(p, x.n, u.count);
        if (CHECK) nothing[j % 2] += v * splat(0);
        store(out + (int64_t)j * L, v);
      }
      memset(out + (int64_t)right * L, 0, sizeof(float) * L * (g.pixel_columns - right));
    }
  return !CHECK || !any_nan(nothing[0] + nothing[1]);
}

// Whether the pixels are finite that lie beyond the last whole tile, which packing leaves out.
bool margin_finite(const Conv& a, const ConvUnit& u, const Geometry& g) {
  const Image& x = a.x;
  const int right = g.pixel_columns > a.pad_w ? g.pixel_columns - a.pad_w : 0;
  float nothing = 0;
  for (int c = 0; c < a.channels; c++)
    for (int h = 0; h < a.height; h++) {
      const bool below = h + a.pad_h >= g.pixel_rows;
      for (int w = below ? 0 : right; w < a.width; w++) {
        const float* p = x.data + u.first * x.n + c * x.c + h * x.h + w * x.w;
        for (int l = 0; l < u.count; l++) nothing += p[l * x.n] * 0;
      }
    }
  return nothing == 0;
}

// The opposite, for all rows: (C, pixel rows, pixel columns, L) -> d_x; pixels that no tile saw get zero.
void unpack_images(const Conv& a, const ConvUnit& u, int pixel_rows, int pixel_columns, const float* packed) {
  const Image& x = a.d_x;
  for (int c = 0; c < a.channels; c++)
    for (int h = 0; h < a.height; h++)
      for (int w = 0; w < a.width; w++) {
        int i = h + a.pad_h, j = w + a.pad_w;
        bool seen = i < pixel_rows && j < pixel_columns;
        Vec v = seen ? load(packed + (((int64_t)c * pixel_rows + i) * pixel_columns + j) * L) : (Vec){};
        float* to = x.data + u.first * x.n + c * x.c + h * x.h + w * x.w;
        if (u.count == L && x.n == 1)
          store(to, v);
        else
          store_some(to, x.n, u.count, v);
      }
}

// One image with its border of zeros -> (C, pixel rows, pixel columns), one float a pixel; whether all are finite.
bool pack_one(const Conv& a, const ConvUnit& u, const Geometry& g, float* out) {
  const Image& x = a.x;
  float nothing = 0;
  for (int c = 0; c < a.channels; c++)
    for (int i = 0; i < g.pixel_rows; i++) {
      int h = 2 * g.from + i - a.pad_h;
      const float* line = x.data + u.first * x.n + c * x.c + (h * x.h - a.pad_w * x.w);
      for (int j = 0; j < g.pixel_columns; j++) {
        bool inside = h >= 0 && h < a.height && j >= a.pad_w && j < a.width + a.pad_w;
        *out = inside ? line[j * x.w] : 0;
        nothing += *out++ * 0;
      }
    }
  return nothing == 0;
}

// (C, pixel rows, pixel columns) -> (C, side, side, vectors, L): the patch of every tile, tiles side by side.
void pack_patches(const Conv& a, const Geometry& g, const float* image, float* out) {
  int used = g.count * g.tile_columns, padded = g.vectors * L;
  for (int c = 0; c < a.channels; c++)
    for (int r = 0; r < g.side; r++)
      for (int t = 0; t < g.side; t++) {
        for (int i = 0; i < g.count; i++) {
          const float* line = image + ((int64_t)c * g.pixel_rows + 2 * i + r) * g.pixel_columns + t;
          for (int j = 0; j < g.tile_columns; j++) *out++ = line[2 * j];
        }
        for (int k = used; k < padded; k++) *out++ = 0;
      }
}

// The opposite: every patch's gradient is added to its place in the image, which begins at zero.
void unpack_patches(const Conv& a, const Geometry& g, const float* patches, float* image) {
  for (int c = 0; c < a.channels; c++)
    for (int r = 0; r < g.side; r++)
      for (int t = 0; t < g.side; t++) {
        const float* from = patches + ((int64_t)c * g.side * g.side + r * g.side + t) * g.vectors * L;
        for (int i = 0; i < g.count; i++) {
          float* line = image + ((int64_t)c * g.pixel_rows + 2 * i + r) * g.pixel_columns + t;
          for (int j = 0; j < g.tile_columns; j++) line[2 * j] += *from++;
        }
      }
}

// Forward -------------------------------------------------------------------------------------------------------------

INLINE Vec positive(Vec v) { return choose(v <= splat(0), splat(0), v); }  // keeps NaN, as torch's relu does

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

INLINE int64_t winner_row(const Conv& a) { return (int64_t)(a.columns / 2) * a.batch; }
INLINE int64_t winner_channel(const Conv& a) { return a.rows / 2 * winner_row(a); }

// The vector holds the tile in row i, column j of several images.
template <bool POOL>
INLINE Place place_images(const Conv& a, const ConvUnit& u, int i, int j) {
  i += u.from;
  if (POOL)
    return {a.y.data + u.first * a.y.n + i * a.y.h + j * a.y.w, a.winner + u.first + i * winner_row(a) + (int64_t)j * a.batch,
            a.y.c, winner_channel(a), 0, 0};
  return {a.y.data + u.first * a.y.n + 2 * i * a.y.h + 2 * j * a.y.w, nullptr, a.y.c, 0, 2 * i, 2 * j};
}

template <bool POOL>
INLINE void put_images(const Conv& a, int count, const Place& to, int o, const Vec* y) {
  float* p = to.y + o * to.channel;
  if (POOL) {
    Best b = best_of(y);
    uint8_t* w = to.winner + o * to.winner_channel;
    if (count == L) {
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
    if (count == L)
      store(at, v);
    else
      store_some(at, a.y.n, count, v);
  }
}

// The vector holds tiles v L to v L + L - 1 of one image.
template <bool POOL>
INLINE void put_patches(const Conv& a, const ConvUnit& u, int tile_columns, int v, int o, const Vec* y) {
  float* to = a.y.data + o * a.y.c + u.first * a.y.n;
  const int k = v * L, left = (u.to - u.from) * tile_columns - k, end = left < L ? left : L;
  if (POOL) {
    Best b = best_of(y);
    float value[L];
    store(value, b.value);
    uint8_t* w = a.winner + o * winner_channel(a) + u.first;
    for (int l = 0; l < end; l++) {
      int i = u.from + (k + l) / tile_columns, j = (k + l) % tile_columns;
      to[i * a.y.h + j * a.y.w] = value[l];
      w[i * winner_row(a) + (int64_t)j * a.batch] = b.winner[l];
    }
    return;
  }
  for (int q = 0; q < 4; q++) {
    float value[L];
    store(value, a.relu ? positive(y[q]) : y[q]);
    for (int l = 0; l < end; l++) {
      int row = 2 * (u.from + (k + l) / tile_columns) + q / 2, column = 2 * ((k + l) % tile_columns) + q % 2;
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

template <int K, bool POOL>
void tiles_forward(const Conv& a, const ConvUnit& u, const View& s, int tile_columns, const float* x) {
  auto channels = [&](auto block, const float* tile, const Place& to, int i, int j, int o) __attribute__((always_inline)) {
    constexpr int B = decltype(block)::value;
    Vec y[B][4];
    tile_forward<K, B>(a, s, tile, o, y);
    if (u.patches) {
      for (int k = 0; k < B; k++) put_patches<POOL>(a, u, tile_columns, j, o + k, y[k]);
    } else {
#pragma GCC unroll 4
      for (int k = 0; k < B; k++) put_images<POOL>(a, u.count, to, o + k, y[k]);
    }
  };
  constexpr int B = MANY_REGISTERS ? 4 : 2;
  for (int i = 0; i < s.rows; i++)
    for (int j = 0; j < s.columns; j++) {
      const float* tile = x + i * s.down + j * s.across;
      const Place to = place_images<POOL>(a, u, i, j);
      int o = 0;
      for (; o + B <= a.out; o += B) channels(Count<B>(), tile, to, i, j, o);
      if (B > 2 && o + 2 <= a.out) {
        channels(Count<2>(), tile, to, i, j, o);
        o += 2;
      }
      if (o < a.out) channels(Count<1>(), tile, to, i, j, o);
    }
}

// Backward ------------------------------------------------------------------------------------------------------------

// The gradient of the four outputs of tile (i, j) of some images, zero where an output was not the pool's winner or lies
// outside.
template <bool WHOLE>
INLINE void tile_gradient(const Conv& a, int count, const float* from, const uint8_t* won, int i, int j, float* out) {
  const Image& y = a.y;
  if (a.pooled) {
    const float* p = from + i * y.h + j * y.w;
    const uint8_t* w = won + i * winner_row(a) + (int64_t)j * a.batch;
    Vec grad = WHOLE ? load(p) : load_some(p, y.n, count);
    Mask m = splat_int(4);
    if (WHOLE)
      m = load_bytes(w);
    else
      for (int l = 0; l < count; l++) m[l] = w[l];
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) store(out + q * L, choose(m == splat_int(q), grad, (Vec){}));
    return;
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++) {
    const int row = 2 * i + q / 2, column = 2 * j + q % 2;
    const float* p = from + row * y.h + column * y.w;
    const bool inside = row < a.rows && column < a.columns;
    store(out + q * L, !inside ? (Vec){} : WHOLE ? load(p) : load_some(p, y.n, count));
  }
}

// The same of L neighbouring tiles of one image, from number `first` on.
INLINE void patches_gradient(const Conv& a, const ConvUnit& u, const Geometry& g, const float* from, const uint8_t* won,
                             int first, float* out) {
  const Image& y = a.y;
  for (int q = 0; q < 4; q++) store(out + q * L, (Vec){});
  for (int l = 0; l < L && first + l < g.count * g.tile_columns; l++) {
    const int i = u.from + (first + l) / g.tile_columns, j = (first + l) % g.tile_columns;
    if (a.pooled) {
      const int q = won[i * winner_row(a) + (int64_t)j * a.batch];
      if (q < 4) out[q * L + l] = from[i * y.h + j * y.w];
      continue;
    }
    for (int q = 0; q < 4; q++) {
      const int row = 2 * i + q / 2, column = 2 * j + q % 2;
      if (row < a.rows && column < a.columns) out[q * L + l] = from[row * y.h + column * y.w];
    }
  }
}

// The gradient of every output, tile by tile -> (O, vectors, 4, L); that of the bias is added to d_bias.
void pack_gradient(const Conv& a, const ConvUnit& u, const Geometry& g, float* out, float* d_bias) {
  const bool whole = u.count == L && a.y.n == 1;
  for (int o = 0; o < a.out; o++) {
    const float* from = a.y.data + o * a.y.c + u.first * a.y.n;
    const uint8_t* won = a.winner + (a.pooled ? o * winner_channel(a) + u.first : 0);
    Vec total = {};
    auto add = [&] {
      total += (load(out) + load(out + L)) + (load(out + 2 * L) + load(out + 3 * L));
      out += 4 * L;
    };
    if (u.patches)
      for (int v = 0; v < g.vectors; v++) {
        patches_gradient(a, u, g, from, won, v * L, out);
        add();
      }
    else
      for (int i = u.from; i < u.to; i++)
        for (int j = 0; j < g.tile_columns; j++) {
          whole ? tile_gradient<true>(a, u.count, from, won, i, j, out)
                : tile_gradient<false>(a, u.count, from, won, i, j, out);
          add();
        }
    d_bias[o] += sum(total);
  }
}

// d_weight[o, c, u, v] += sum over tiles of d[q] * x for B out-channels and U kernel rows from u0, in registers.
template <int K, int B, int U>
INLINE void rows_weight(const View& s, const float* x, const float* d, int64_t d_out, int u0, float* d_weight,
                        int64_t weight_out) {
  Vec sums[B][U][K];
  for (int k = 0; k < B; k++)
    for (int u = 0; u < U; u++)
      for (int v = 0; v < K; v++) sums[k][u][v] = (Vec){};
  for (int i = 0; i < s.rows; i++)
    for (int j = 0; j < s.columns; j++, d += 4 * L) {
      const float* tile = x + i * s.down + j * s.across + u0 * s.row;
      Vec g[B][4];
      for (int k = 0; k < B; k++)
        for (int q = 0; q < 4; q++) g[k][q] = load(d + k * d_out + q * L);
#pragma GCC unroll 8
      for (int r = 0; r <= U; r++)
#pragma GCC unroll 8
        for (int t = 0; t <= K; t++) {
          Vec p = load(tile + r * s.row + t * s.column);
          for (int k = 0; k < B; k++) {
            if (r < U && t < K) sums[k][r][t] += g[k][0] * p;
            if (r < U && t > 0) sums[k][r][t - 1] += g[k][1] * p;
            if (r > 0 && t < K) sums[k][r - 1][t] += g[k][2] * p;
            if (r > 0 && t > 0) sums[k][r - 1][t - 1] += g[k][3] * p;
          }
        }
    }
  for (int k = 0; k < B; k++)
    for (int u = 0; u < U; u++)
      for (int v = 0; v < K; v++) d_weight[k * weight_out + (u0 + u) * K + v] += sum(sums[k][u][v]);
}

template <int K, int B>
INLINE void kernel_weight(const View& s, const float* x, const float* d, int64_t d_out, float* d_weight, int64_t out) {
  constexpr int budget = (MANY_REGISTERS ? 26 : 10) / (K * B);
  constexpr int U = budget < 1 ? 1 : budget > K ? K : budget;
  int u = 0;
  for (; u + U <= K; u += U) rows_weight<K, B, U>(s, x, d, d_out, u, d_weight, out);
  if (U > 1)
    for (; u < K; u++) rows_weight<K, B, 1>(s, x, d, d_out, u, d_weight, out);
}

template <int K>
void weight_gradient(const Conv& a, const View& s, const float* x, const float* d, float* d_weight) {
  constexpr int B = MANY_REGISTERS && K <= 3 ? 2 : 1;
  const int64_t d_out = (int64_t)s.rows * s.columns * 4 * L, out = (int64_t)a.channels * K * K;
  for (int c = 0; c < a.channels; c++, x += s.channel, d_weight += K * K) {
    int o = 0;
    for (; o + B <= a.out; o += B) kernel_weight<K, B>(s, x, d + o * d_out, d_out, d_weight + o * out, out);
    if (B > 1 && o < a.out) kernel_weight<K, 1>(s, x, d + o * d_out, d_out, d_weight + o * out, out);
  }
}

// d_x of R rows of one patch from row R0, summed over all out-channels in registers:
//     d_x[r, t] = sum over o, q of weight[o, c, r - q / 2, t - q % 2] * d[o, q]
template <int K, int R0, int R>
INLINE void rows_input(const Conv& a, const View& s, const float* weight, const float* d, int64_t d_out, float* d_x) {
  Vec z[R][K + 1];
  for (int r = 0; r < R; r++)
    for (int t = 0; t <= K; t++) z[r][t] = (Vec){};
  const int64_t out = (int64_t)a.channels * K * K;
  for (int o = 0; o < a.out; o++, d += d_out, weight += out) {
    Vec d0 = load(d), d1 = load(d + L), d2 = load(d + 2 * L), d3 = load(d + 3 * L);
#pragma GCC unroll 8
    for (int u = R0 - 1; u < R0 + R; u++)  // the kernel rows that reach these patch rows
#pragma GCC unroll 8
      for (int v = 0; v < K; v++) {
        if (u < 0 || u >= K) continue;
        Vec f = splat(weight[u * K + v]);
        if (u >= R0) {
          z[u - R0][v] += f * d0;
          z[u - R0][v + 1] += f * d1;
        }
        if (u + 1 < R0 + R) {
          z[u + 1 - R0][v] += f * d2;
          z[u + 1 - R0][v + 1] += f * d3;
        }
      }
  }
  for (int r = 0; r < R; r++)
    for (int t = 0; t <= K; t++) {
      float* p = d_x + (R0 + r) * s.row + t * s.column;
      store(p, load(p) + z[r][t]);
    }
}

template <int K, int R0 = 0>
INLINE void patch_input(const Conv& a, const View& s, const float* weight, const float* d, int64_t d_out, float* d_x) {
  constexpr int budget = (MANY_REGISTERS ? 18 : 10) / (K + 1), left = K + 1 - R0;
  constexpr int R = budget < 1 ? 1 : budget < left ? budget : left;
  rows_input<K, R0, R>(a, s, weight, d, d_out, d_x);
  if constexpr (R0 + R <= K) patch_input<K, R0 + R>(a, s, weight, d, d_out, d_x);
}

template <int K>
void input_gradient(const Conv& a, const View& s, const float* d, float* d_x) {
  const int64_t d_out = (int64_t)s.rows * s.columns * 4 * L;
  for (int i = 0; i < s.rows; i++)
    for (int j = 0; j < s.columns; j++, d += 4 * L)
      for (int c = 0; c < a.channels; c++)
        patch_input<K>(a, s, a.weight + c * K * K, d, d_out, d_x + i * s.down + j * s.across + c * s.channel);
}

// Units ---------------------------------------------------------------------------------------------------------------

// Calls f<K>() for the kernel size at hand.
#define LENET_FOR_KERNEL(K, ...)                                                                        \
  switch (K) {                                                                                         \
    case 1: { constexpr int k = 1; __VA_ARGS__; break; }                                                      \
    case 2: { constexpr int k = 2; __VA_ARGS__; break; }                                                      \
    case 3: { constexpr int k = 3; __VA_ARGS__; break; }                                                      \
    case 4: { constexpr int k = 4; __VA_ARGS__; break; }                                                      \
    case 5: { constexpr int k = 5; __VA_ARGS__; break; }                                                      \
    case 6: { constexpr int k = 6; __VA_ARGS__; break; }                                                      \
    case 7: { constexpr int k = 7; __VA_ARGS__; break; }                                                      \
  }

// Blocks of L images; what is left over as one more block, or image by image where that is less work. With `wanted` above
// 1 the tile rows are cut, too, until there are that many units.
int conv_units(const Conv& a, int wanted, ConvUnit* units) {
  const int rows = tiles(a, a.rows), columns = tiles(a, a.columns), side = a.kernel + 1;
  const int whole = a.batch / L, rest = a.batch % L;
  const double vector = (2.0 * a.kernel * a.kernel * a.out + L * side * side) * a.channels + L * 4.0 * a.out;
  const double images = (2.0 * a.kernel * a.kernel * a.out + L * 4.0) * a.channels + L * 4.0 * a.out;
  const bool patches = rest * ((rows * columns + L - 1) / L) * vector < rows * columns * images;
  const int blocks = whole + (rest == 0 ? 0 : patches ? rest : 1);
  int strips = (wanted + blocks - 1) / (blocks ? blocks : 1);
  if (strips > rows / 2) strips = rows / 2;
  if (strips < 1) strips = 1;
  if (units)
    for (int b = 0; b < blocks; b++)
      for (int s = 0; s < strips; s++) {
        ConvUnit u;
        u.patches = b >= whole && patches;
        u.first = b <= whole ? b * L : whole * L + b - whole;
        u.count = b < whole ? L : u.patches ? 1 : rest;
        u.from = rows * s / strips;
        u.to = rows * (s + 1) / strips;
        *units++ = u;
      }
  return blocks * strips;
}

struct Scratch {
  size_t x, image, d, d_x, d_image, end;  // where each part begins, in floats
};

INLINE Scratch conv_layout(const Conv& a, const ConvUnit& u, bool backward) {
  Geometry g = geometry(a, u);
  View s = view(g, u.patches);
  size_t packed = (size_t)a.channels * s.channel, image = (size_t)a.channels * g.pixel_rows * g.pixel_columns;
  auto round = [](size_t n) { return (n + 15) / 16 * 16; };
  Scratch at;
  at.x = 0;
  at.image = packed;
  at.d = at.image + (u.patches ? round(image) : 0);
  at.d_x = at.d + (backward ? (size_t)a.out * g.vectors * 4 * L : 0);
  at.d_image = at.d_x + (backward && a.d_x.data ? packed : 0);
  at.end = at.d_image + (backward && a.d_x.data && u.patches ? round(image) : 0);
  return at;
}

size_t conv_scratch(const Conv& a, const ConvUnit& u, bool backward) { return conv_layout(a, u, backward).end; }

template <bool CHECK>
bool pack_input(const Conv& a, const ConvUnit& u, const Geometry& g, const Scratch& at, float* scratch) {
  if (!u.patches)
    return u.count == L && a.x.n == 1 ? pack_images<true, CHECK>(a, u, g, scratch + at.x)
                                      : pack_images<false, CHECK>(a, u, g, scratch + at.x);
  bool finite = pack_one(a, u, g, scratch + at.image);
  pack_patches(a, g, scratch + at.image, scratch + at.x);
  return finite;
}

void conv_forward(const Conv& a, const ConvUnit& u, float* scratch) {
  Geometry g = geometry(a, u);
  View s = view(g, u.patches);
  Scratch at = conv_layout(a, u, false);
  pack_input<false>(a, u, g, at, scratch);
  const float* x = scratch + at.x;
  LENET_FOR_KERNEL(a.kernel, a.pooled ? tiles_forward<k, true>(a, u, s, g.tile_columns, x)
                                      : tiles_forward<k, false>(a, u, s, g.tile_columns, x));
}

bool conv_backward(const Conv& a, const ConvUnit& u, float* scratch, float* d_weight, float* d_bias) {
  Geometry g = geometry(a, u);
  View s = view(g, u.patches);
  Scratch at = conv_layout(a, u, true);
  float *x = scratch + at.x, *d = scratch + at.d, *d_x = scratch + at.d_x, *d_image = scratch + at.d_image;
  if (d_weight) {
    const bool odd = a.rows % 2 || a.columns % 2;
    const bool finite = odd ? pack_input<true>(a, u, g, at, scratch) : pack_input<false>(a, u, g, at, scratch);
    if (odd && !(finite && margin_finite(a, u, g))) return false;
  }
  pack_gradient(a, u, g, d, d_bias);
  if (d_weight) LENET_FOR_KERNEL(a.kernel, weight_gradient<k>(a, s, x, d, d_weight));
  if (!a.d_x.data) return true;
  memset(d_x, 0, sizeof(float) * a.channels * s.channel);
  LENET_FOR_KERNEL(a.kernel, input_gradient<k>(a, s, d, d_x));
  if (!u.patches) {
    unpack_images(a, u, g.pixel_rows, g.pixel_columns, d_x);
    return true;
  }
  memset(d_image, 0, sizeof(float) * a.channels * g.pixel_rows * g.pixel_columns);
  unpack_patches(a, g, d_x, d_image);
  for (int c = 0; c < a.channels; c++)
    for (int h = 0; h < a.height; h++)
      for (int w = 0; w < a.width; w++) {
        int i = h + a.pad_h, j = w + a.pad_w;
        bool seen = i < g.pixel_rows && j < g.pixel_columns;
        a.d_x.data[u.first * a.d_x.n + c * a.d_x.c + h * a.d_x.h + w * a.d_x.w] =
            seen ? d_image[((int64_t)c * g.pixel_rows + i) * g.pixel_columns + j] : 0;
      }
  return true;
}

}  // namespace
