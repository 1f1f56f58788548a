// How convolutions cut their work, and the two forms into which the input is packed; see conv.h.
#pragma once

#include "kernels.h"
#include "vector.h"

namespace {

constexpr int SIDE = 8;  // of the largest patch
constexpr int AHEAD = 2;  // tiles: images lie far apart, and no prefetcher of a processor finds where results go next

// Where packed images have their tiles and pixels, in floats.
struct View {
  int rows, columns;            // of tile vectors
  int64_t down, across;         // from one tile vector to the next
  int64_t channel;              // from one channel to the next
  int64_t row[SIDE], column[SIDE];  // of a patch: their sum is the place of a pixel
};

// The same of gradients of outputs: the four of a tile vector.
struct Deltas {
  int64_t out, step, output[4];
};

struct Geometry {
  int tile_rows, tile_columns;  // of the whole output
  int from, count;              // tile rows of this unit
  int pixel_rows, pixel_columns;  // of the packed input under them
};

INLINE int tiles(const Conv& a, int size) { return a.pooled ? size / 2 : (size + 1) / 2; }

// Where the pool's winners lie: from one row, from one channel to the next, from the first image to another.
INLINE int64_t winner_row(const Conv& a) { return (int64_t)(a.columns / 2) * a.group; }
INLINE int64_t winner_channel(const Conv& a) { return a.rows / 2 * winner_row(a); }
INLINE int64_t winner_image(const Conv& a, int n) { return n / a.group * winner_channel(a) * a.out + n % a.group; }

INLINE Geometry geometry(const Conv& a, const ConvUnit& u) {
  Geometry g;
  g.tile_rows = tiles(a, a.rows);
  g.tile_columns = tiles(a, a.columns);
  g.from = u.from;
  g.count = u.to - u.from;
  g.pixel_rows = 2 * g.count + a.kernel - 1;
  g.pixel_columns = 2 * g.tile_columns + a.kernel - 1;
  return g;
}

INLINE View view(const Geometry& g) {
  const int64_t row = (int64_t)g.pixel_columns * L;
  View s = {g.count, g.tile_columns, 2 * row, 2 * L, row * g.pixel_rows, {}, {}};
  for (int i = 0; i < SIDE; i++) s.row[i] = i * row, s.column[i] = i * L;
  return s;
}

// Images `first`.. of `x` with their border of zeros, one image a lane -> (C, pixel rows, pixel columns, L); with
// CHECK, whether all pixels are finite and not huge.
template <bool WHOLE, bool CHECK>
bool pack_pixels(const Conv& a, const ConvUnit& u, const Geometry& g, float* out) {
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
        if (CHECK) nothing[j % 2] += nothing_of(v);
        store(out + (int64_t)j * L, v);
      }
      memset(out + (int64_t)right * L, 0, sizeof(float) * L * (g.pixel_columns - right));
    }
  return !CHECK || !any_nan(nothing[0] + nothing[1]);
}

template <bool CHECK>
bool pack_images(const Conv& a, const ConvUnit& u, const Geometry& g, float* out) {
  return u.count == L && a.x.n == 1 ? pack_pixels<true, CHECK>(a, u, g, out) : pack_pixels<false, CHECK>(a, u, g, out);
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
        for (int l = 0; l < u.count; l++) nothing += nothing_of(p[l * x.n]);
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
        if (u.count == L && x.n == 1) {
          store(to, v);
          fetch(to + 8 * AHEAD * x.w);
        } else {
          store_some(to, x.n, u.count, v);
        }
      }
}

}  // namespace
