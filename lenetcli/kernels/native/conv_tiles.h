// How convolutions cut their work, and the two forms into which the input is packed; see conv.h.
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

// Which tiles of one image lie in the lanes of vector `v`; none where lanes hold images.
struct Lanes {
  int64_t first;  // tile of all tiles
  int count, row[L], column[L];

  INLINE Lanes(const ConvUnit& u, const Geometry& g, int v) : first(0), count(0) {
    if (!u.patches) return;
    first = (int64_t)u.from * g.tile_columns + v * L;
    const int left = g.count * g.tile_columns - v * L;
    count = left < L ? left : L;
    int i = u.from + v * L / g.tile_columns, j = v * L % g.tile_columns;
    for (int l = 0; l < count; l++) {
      row[l] = i, column[l] = j;
      if (++j == g.tile_columns) j = 0, i++;
    }
  }
};

// Images `first`.. of `x` with their border of zeros, one image a lane -> (C, pixel rows, pixel columns, L); with
// CHECK, whether all pixels are finite and not huge.
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
        if (CHECK) nothing[j % 2] += nothing_of(v);
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
        if (u.count == L && x.n == 1)
          store(to, v);
        else
          store_some(to, x.n, u.count, v);
      }
}

// One image with its border of zeros -> (C, pixel rows, 2, half a row): even columns, then odd ones, so that pixels of
// neighbouring tiles are neighbours; whether all are finite.
bool pack_one(const Conv& a, const ConvUnit& u, const Geometry& g, float* out) {
  const Image& x = a.x;
  const int half = (g.pixel_columns + 1) / 2;
  const int right = a.pad_w + a.width < g.pixel_columns ? a.pad_w + a.width : g.pixel_columns;
  memset(out, 0, sizeof(float) * a.channels * g.pixel_rows * 2 * half);
  float nothing = 0;
  for (int c = 0; c < a.channels; c++)
    for (int i = 0; i < g.pixel_rows; i++, out += 2 * half) {
      const int h = 2 * g.from + i - a.pad_h;
      if (h < 0 || h >= a.height) continue;
      const float* line = x.data + u.first * x.n + c * x.c + (h * x.h - a.pad_w * x.w);
      for (int odd = 0; odd < 2; odd++)
        for (int j = a.pad_w + (a.pad_w + odd) % 2; j < right; j += 2) {
          out[odd * half + j / 2] = line[j * x.w];
          nothing += nothing_of(line[j * x.w]);
        }
    }
  return nothing == 0;
}

// That form -> (C, side, side, vectors, L): the patch of every tile, tiles side by side.
void pack_patches(const Conv& a, const Geometry& g, const float* image, float* out) {
  const int half = (g.pixel_columns + 1) / 2, padding = g.vectors * L - g.count * g.tile_columns;
  for (int c = 0; c < a.channels; c++)
    for (int r = 0; r < g.side; r++)
      for (int t = 0; t < g.side; t++) {
        for (int i = 0; i < g.count; i++, out += g.tile_columns) {
          const float* line = image + (((int64_t)c * g.pixel_rows + 2 * i + r) * 2 + t % 2) * half + t / 2;
          for (int j = 0; j < g.tile_columns; j++) out[j] = line[j];
        }
        for (int k = 0; k < padding; k++) *out++ = 0;
      }
}

// The opposite: every patch's gradient is added to its place in the image, which begins at zero.
void unpack_patches(const Conv& a, const Geometry& g, const float* patches, float* image) {
  const int half = (g.pixel_columns + 1) / 2;
  for (int c = 0; c < a.channels; c++)
    for (int r = 0; r < g.side; r++)
      for (int t = 0; t < g.side; t++) {
        const float* from = patches + ((int64_t)c * g.side * g.side + r * g.side + t) * g.vectors * L;
        for (int i = 0; i < g.count; i++, from += g.tile_columns) {
          float* line = image + (((int64_t)c * g.pixel_rows + 2 * i + r) * 2 + t % 2) * half + t / 2;
          for (int j = 0; j < g.tile_columns; j++) line[j] += from[j];
        }
      }
}

// And back to d_x; pixels that no tile saw get zero.
void unpack_one(const Conv& a, const ConvUnit& u, const Geometry& g, const float* image) {
  const Image& x = a.d_x;
  const int half = (g.pixel_columns + 1) / 2;
  for (int c = 0; c < a.channels; c++)
    for (int h = 0; h < a.height; h++) {
      const int i = h + a.pad_h;
      const float* line = image + ((int64_t)c * g.pixel_rows + i) * 2 * half;
      float* to = x.data + u.first * x.n + c * x.c + h * x.h;
      for (int w = 0; w < a.width; w++) {
        const int j = w + a.pad_w;
        to[w * x.w] = i < g.pixel_rows && j < g.pixel_columns ? line[j % 2 * half + j / 2] : 0;
      }
    }
}

}  // namespace
