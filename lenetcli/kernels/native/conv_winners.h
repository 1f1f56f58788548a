// Backward pass of a convolution with relu and 2x2 max-pooling, winner by winner; see conv.h.
//
// Of the four outputs of a tile one has a gradient, another one in every image. Lanes that are images would multiply
// all four, three times by zero. Here the lanes are neighbours in a row of one image, (rows, columns, C): what a row
// of the kernel meets is K C floats that lie side by side, and what a winner q = (i, j) changes is where they begin.
//
//     d_weight[o, u, :] += grad[o, tile] x[tile + (i + u, j), :]             K rows of K C floats, kept in registers
//     d_x[tile + (r, 0), :] += grad[o, tile] filter[o, j, r - i, :]          K + 1 rows of (K + 1) C floats, the same
//
// Sums are added up image by image, tile by tile, then over images as over lanes: the bits are those of all four.
// filter[o, j] has j C zeros before each row and zeros after it, and a row of zeros before the first and after
// the last. Zeros meet numbers here that are no part of the sum, so all of them have to be finite.
#pragma once

#include "conv_tiles.h"

namespace {

#define LENET_LOW(size, l) ((l) / (size) % 2 * L + (l) / (2 * (size)) * 2 * (size) + (l) % (size))
#define LENET_BLOCKS(size)                                                   \
  INLINE void exchange(Count<size>, Vec& a, Vec& b) {                        \
    const Vec low = LENET_PICK(a, b, LENET_LOW_##size, LENET_NEXT_LOW_##size); \
    b = LENET_PICK(a, b, LENET_HIGH_##size, LENET_NEXT_HIGH_##size);         \
    a = low;                                                                 \
  }
#define LENET_LOW_1(i) LENET_LOW(1, i)
#define LENET_NEXT_LOW_1(i) LENET_LOW(1, i + L / 2)
#define LENET_HIGH_1(i) LENET_LOW(1, i) + 1
#define LENET_NEXT_HIGH_1(i) LENET_LOW(1, i + L / 2) + 1
#define LENET_LOW_2(i) LENET_LOW(2, i)
#define LENET_NEXT_LOW_2(i) LENET_LOW(2, i + L / 2)
#define LENET_HIGH_2(i) LENET_LOW(2, i) + 2
#define LENET_NEXT_HIGH_2(i) LENET_LOW(2, i + L / 2) + 2
#define LENET_LOW_4(i) LENET_LOW(4, i)
#define LENET_NEXT_LOW_4(i) LENET_LOW(4, i + L / 2)
#define LENET_HIGH_4(i) LENET_LOW(4, i) + 4
#define LENET_NEXT_HIGH_4(i) LENET_LOW(4, i + L / 2) + 4
#define LENET_LOW_8(i) LENET_LOW(8, i)
#define LENET_NEXT_LOW_8(i) LENET_LOW(8, i + L / 2)
#define LENET_HIGH_8(i) LENET_LOW(8, i) + 8
#define LENET_NEXT_HIGH_8(i) LENET_LOW(8, i + L / 2) + 8

// Every second block of `size` lanes of a changes places with the one before it in b.
LENET_BLOCKS(1)
LENET_BLOCKS(2)
#if LENET_LANES >= 8
LENET_BLOCKS(4)
#endif
#if LENET_LANES >= 16
LENET_BLOCKS(8)
#endif

// L vectors of L lanes, rows and columns changing places.
template <int size = 1>
INLINE void transpose(Vec* v) {
#pragma GCC unroll 16
  for (int i = 0; i < L; i++)
    if (!(i & size)) exchange(Count<size>(), v[i], v[i + size]);
  if constexpr (2 * size < L) transpose<2 * size>(v);
}

// How a unit's memory is used, in floats.
struct Lines {
  int channels, columns;   // of a line: pixels
  int64_t pitch, image;    // from one line, one image to the next
  int vectors;             // of a row of filters
  int64_t row, filter;     // from one row, one out-channel's filters to the next
  int tiles, out;          // tiles of an image; records from one out-channel to the next
  size_t x, d_x, records, sums, end;
};

// A tile's gradient in L images, and where the winner's window begins: `x` after the tile's, `filter` in a filter.
struct Record {
  float grad[L];
  struct {
    uint16_t x, filter;
  } at[L];
};
constexpr int RECORD = sizeof(Record) / sizeof(float);

INLINE Lines lines(const Conv& a, const Geometry& g) {
  auto round = [](int64_t n) { return (n + 15) / 16 * 16; };
  Lines s;
  s.channels = a.channels, s.columns = g.pixel_columns;
  s.pitch = (int64_t)g.pixel_columns * a.channels;
  s.image = round(s.pitch * g.pixel_rows + 5 * L);
  s.vectors = ((a.kernel + 1) * a.channels + L - 1) / L;
  s.row = (int64_t)s.vectors * L;
  s.filter = 2 * (a.kernel + 2) * s.row;
  s.tiles = g.count * g.tile_columns;
  s.out = s.tiles | 1;  // odd: a cache keeps only so many lines that are a power of two apart
  s.x = 0;
  s.d_x = s.x + L * s.image;
  s.records = s.d_x + (a.d_x.data ? L * s.image : 0);
  s.sums = s.records + round((int64_t)a.out * s.out * RECORD);
  s.end = s.sums + round((int64_t)L * a.out * a.kernel * (a.kernel * a.channels + 2 * L));
  return s;
}

// Whether this is less work than all four: loads, of which a processor makes as many as multiply-adds at a time.
bool by_winner(const Conv& a) {
  const int k = a.kernel, c = a.channels;
  const int loads = k * ((k * c + L - 1) / L) + 2;
  const int64_t far = (int64_t)(a.width + 2 * a.pad_w + 1) * c, filter = 2 * (k + 2) * ((k + 1) * (int64_t)c + L);
  return a.pooled && k >= 2 && loads * 10 * L <= 48 * k * k * c && far < 65536 && filter < 65536;
}

// (O, C, K, K) -> filters (O, 2, K + 2, row), unless `to` is null; their size.
size_t winner_filters(const Conv& a, float* to) {
  const Lines s = lines(a, geometry(a, {0, 1, 0, 1}));
  const int k = a.kernel;
  if (!to) return a.out * s.filter;
  memset(to, 0, sizeof(float) * a.out * s.filter);
  for (int o = 0; o < a.out; o++)
    for (int j = 0; j < 2; j++, to += (k + 2) * s.row)
      for (int c = 0; c < a.channels; c++)
        for (int r = 0; r < k; r++)
          for (int v = 0; v < k; v++)
            to[(r + 1) * s.row + (j + v) * a.channels + c] = a.weight[((o * a.channels + c) * k + r) * k + v];
  return a.out * s.filter;
}

// Images of `x` with their border of zeros -> lines; whether all pixels are finite and not huge.
bool pack_lines(const Conv& a, const ConvUnit& u, const Geometry& g, const Lines& s, float* out) {
  const Image& x = a.x;
  const bool whole = u.count == L && x.n == 1;
  Vec nothing = {};
  float rest = 0;
  for (int r = 0; r < g.pixel_rows; r++, out += s.pitch) {
    const int h = 2 * g.from + r - a.pad_h;
    const float* from = x.data + u.first * x.n + h * x.h;
    if (h < 0 || h >= a.height) {
      for (int m = 0; m < u.count; m++) memset(out + m * s.image, 0, sizeof(float) * s.pitch);
    } else if (whole) {
      int w = -a.pad_w, c = 0;
      for (int64_t e = 0; e < s.pitch; e += L) {
        Vec v[L];
        for (int i = 0; i < L; i++) {
          v[i] = w < 0 || w >= a.width || e + i >= s.pitch ? (Vec){} : load(from + c * x.c + w * x.w);
          nothing += nothing_of(v[i]);
          if (++c == s.channels) c = 0, w++;
        }
        transpose(v);
        for (int m = 0; m < L; m++) store(out + m * s.image + e, v[m]);
      }
    } else {
      for (int m = 0; m < u.count; m++)
        for (int c = 0; c < a.channels; c++) {
          const float* p = from + m * x.n + c * x.c - a.pad_w * x.w;
          float* to = out + m * s.image + c;
          for (int w = 0; w < s.columns; w++, to += a.channels) {
            const bool inside = w >= a.pad_w && w < a.pad_w + a.width;
            *to = inside ? p[w * x.w] : 0;
            rest += nothing_of(*to);
          }
        }
    }
  }
  return rest == 0 && !any_nan(nothing);
}

// The opposite for d_x; pixels that no tile saw get zero.
void unpack_lines(const Conv& a, const ConvUnit& u, const Geometry& g, const Lines& s, const float* lines) {
  const Image& x = a.d_x;
  const bool whole = u.count == L && x.n == 1;
  for (int h = 0; h < a.height; h++) {
    const int r = h + a.pad_h;
    float* to = x.data + u.first * x.n + h * x.h;
    const float* from = lines + r * s.pitch;
    int seen = r < g.pixel_rows ? s.columns - a.pad_w : 0;  // columns of this row
    seen = seen < 0 ? 0 : seen < a.width ? seen : a.width;
    if (whole) {
      int w = 0, c = 0;
      const int64_t begin = (int64_t)a.pad_w * s.channels, count = (int64_t)seen * s.channels;
      for (int64_t e = 0; e < count; e += L) {
        Vec v[L];
        for (int m = 0; m < L; m++) v[m] = load(from + m * s.image + begin + e);
        transpose(v);
        for (int i = 0; i < L && w < seen; i++) {
          store(to + c * x.c + w * x.w, v[i]);
          if (++c == s.channels) c = 0, w++;
        }
      }
    } else {
      for (int m = 0; m < u.count; m++)
        for (int c = 0; c < a.channels; c++)
          for (int w = 0; w < seen; w++)
            to[m * x.n + c * x.c + w * x.w] = from[m * s.image + (int64_t)(a.pad_w + w) * s.channels + c];
    }
    for (int c = 0; c < a.channels; c++)
      for (int w = seen; w < a.width; w++)
        for (int m = 0; m < u.count; m++) to[m * x.n + c * x.c + w * x.w] = 0;
  }
}

// The gradient of what the pool has left -> records (O, tiles); that of the bias is added to d_bias. Whether it is
// finite and not huge.
bool pack_records(const Conv& a, const ConvUnit& u, const Geometry& g, const Lines& s, float* out, float* d_bias) {
  const Image& y = a.y;
  const bool whole = u.count == L && y.n == 1;
  const int right = (int)(s.channels | (a.kernel + 2) * s.row << 16), down = (int)(s.pitch - (s.row << 16));
  Vec nothing = {};
  for (int o = 0; o < a.out; o++) {
    Vec total = {};
    Record* record = (Record*)out + (int64_t)o * s.out;
    for (int i = u.from; i < u.to; i++) {
      const float* grad = y.data + u.first * y.n + o * y.c + i * y.h;
      const uint8_t* won = a.winner + winner_image(a, u.first) + o * winner_channel(a) + i * winner_row(a);
      for (int j = 0; j < g.tile_columns; j++, record++, grad += y.w, won += a.group) {
        Vec v = whole ? load(grad) : load_some(grad, y.n, u.count);
        Mask q = splat_int(4);
        if (whole)
          q = load_bytes(won);
        else
          for (int m = 0; m < u.count; m++) q[m] = won[m];
        v = choose(q == splat_int(4), (Vec){}, v);
        q = q == splat_int(4) ? splat_int(0) : q;
        const Mask at = (q & 1) * right + (q >> 1) * down + splat_int((int)(s.row << 16));
        store(record->grad, v);
        memcpy(record->at, &at, sizeof at);
        total += v;
        nothing += nothing_of(v);
      }
    }
    d_bias[o] += sum(total);
  }
  return !any_nan(nothing);
}

// sums (L, O, K, row): R rows of V vectors, from the pixel that `x` is in the first tile of the first image.
template <int R, int V>
APART void winners_weight(const Conv& a, const Lines& s, const Geometry& g, const Record* first, const float* x,
                          float* sums, int64_t sums_row) {
  constexpr int most = (MANY_REGISTERS ? 24 : 12) / (R * V), M = most >= 4 ? 4 : most >= 2 ? 2 : 1;  // images at a time
  const int64_t pitch = s.pitch, across = 2 * s.channels, image = s.image;
  const int columns = g.tile_columns, rows = g.count;
  for (int m0 = 0; m0 < L; m0 += M, x += M * image) {
    const Record* records = first;
    for (int o = 0; o < a.out; o++, records += s.out) {
      Vec own[M][R][V] = {};
      const Record* record = records;
      const float* line = x;
      for (int i = 0; i < rows; i++, line += 2 * pitch) {
        const float* tile = line;
        for (int j = 0; j < columns; j++, tile += across, record++)
#pragma GCC unroll 4
          for (int m = 0; m < M; m++) {
            const float* p = tile + m * image + record->at[m0 + m].x;
            const Vec grad = splat(record->grad[m0 + m]);
            for (int r = 0; r < R; r++)
              for (int v = 0; v < V; v++) own[m][r][v] += grad * load(p + r * pitch + v * L);
          }
      }
      for (int m = 0; m < M; m++)
        for (int r = 0; r < R; r++)
          for (int v = 0; v < V; v++)
            store(sums + ((int64_t)((m0 + m) * a.out + o) * a.kernel + r) * sums_row + v * L, own[m][r][v]);
    }
  }
}

// The sums of all images' numbers, each added up as `sum` adds lanes.
INLINE Vec sum_of_images(const float* p, int64_t image) {
  Vec v[L];
  for (int m = 0; m < L; m++) v[m] = load(p + m * image);
#pragma GCC unroll 4
  for (int half = L / 2; half >= 4; half /= 2)
#pragma GCC unroll 8
    for (int m = 0; m < half; m++) v[m] += v[m + half];
  return (v[0] + v[2]) + (v[1] + v[3]);
}

// R rows of V vectors of d_x, in one tile of all images.
template <int R, int V>
APART void winners_input(const Conv& a, const Lines& s, const Record* records, const float* filters, float* d_x) {
  const int64_t pitch = s.pitch, row = s.row, size = s.filter, next = s.out;
  const int out = a.out;
  for (int m = 0; m < L; m++, d_x += s.image) {
    Vec own[R][V] = {};
    const Record* record = records;
    const float* filter = filters;
    for (int o = 0; o < out; o++, record += next, filter += size) {
      const float* p = filter + record->at[m].filter;
      const Vec grad = splat(record->grad[m]);
      for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) own[r][v] += grad * load(p + r * row + v * L);
    }
    for (int r = 0; r < R; r++)
      for (int v = 0; v < V; v++) store(d_x + r * pitch + v * L, load(d_x + r * pitch + v * L) + own[r][v]);
  }
}

// body(rows, vectors, first row, first vector), with constants, for blocks that registers hold and all are cut into.
template <class Body>
INLINE void each_block(int rows, int vectors, Body body) {
  auto down = [&](auto width, int v) __attribute__((always_inline)) {
    int r = 0;
    for (; r + 4 <= rows; r += 4) body(Count<4>(), width, r, v);
    if (r + 3 <= rows) return body(Count<3>(), width, r, v);
    if (r + 2 <= rows) return body(Count<2>(), width, r, v);
    if (r < rows) body(Count<1>(), width, r, v);
  };
  int v = 0;
  for (; v + 3 <= vectors; v += 3) down(Count<3>(), v);
  if (v + 2 <= vectors) return down(Count<2>(), v);
  if (v < vectors) down(Count<1>(), v);
}

bool winners_backward(const Conv& a, const ConvUnit& u, float* scratch, float* d_weight, float* d_bias) {
  const Geometry g = geometry(a, u);
  const Lines s = lines(a, g);
  float *x = scratch + s.x, *d_x = scratch + s.d_x, *sums = scratch + s.sums;
  const Record* records = (const Record*)(scratch + s.records);
  if (!pack_records(a, u, g, s, scratch + s.records, d_bias)) return false;
  if (d_weight) {
    if (!pack_lines(a, u, g, s, x) || ((a.rows % 2 || a.columns % 2) && !margin_finite(a, u, g))) return false;
    const int k = a.kernel, length = k * a.channels, vectors = (length + L - 1) / L;
    const int64_t row = (int64_t)vectors * L;
    each_block(k, vectors, [&](auto rows, auto width, int r, int v) __attribute__((always_inline)) {
      winners_weight<rows.value, width.value>(a, s, g, records, x + r * s.pitch + v * L, sums + r * row + v * L, row);
    });
    const int64_t all = a.out * k * row;
    for (int64_t i = 0; i < all; i += L) store(sums + i, sum_of_images(sums + i, all));
    for (int o = 0; o < a.out; o++)
      for (int c = 0; c < a.channels; c++)
        for (int r = 0; r < k; r++)
          for (int v = 0; v < k; v++) *d_weight++ += sums[(o * k + r) * row + v * a.channels + c];
  }
  if (!a.d_x.data) return true;
  memset(d_x, 0, sizeof(float) * u.count * s.image);
  for (int i = 0; i < g.count; i++)
    for (int j = 0; j < g.tile_columns; j++, records++) {
      float* tile = d_x + 2 * i * s.pitch + 2 * j * s.channels;
      each_block(a.kernel + 1, s.vectors, [&](auto rows, auto width, int r, int v) __attribute__((always_inline)) {
        winners_input<rows.value, width.value>(a, s, records, a.filters + r * s.row + v * L, tile + r * s.pitch + v * L);
      });
    }
  unpack_lines(a, u, g, s, d_x);
  return true;
}

}  // namespace
