// 3x3 convolutions of many channels with fewer multiplications: Winograd's F(2x2, 3x3) and, for the weight, F(3x3,
// 2x2).
//
//     y = A' [sum over c of (G w G') * (B' x B)] A          2x2 outputs from a patch of 4x4 pixels
//     d_w = E' [sum over tiles of (F dy F') * (B' x B)] E   3x3 weights from such a patch and 2x2 gradients
//
// where * goes element by element: 16 multiplications instead of 36. For each of the 16 elements the sums are a matrix
// product over channels, or over tiles and images (product.h). Tiles are those of conv.h; so many are transformed at a
// time as stay in the cache. The input's gradient is the forward pass of dy with the weight turned round. The
// transforms add and subtract pixels that single outputs do not see: where some are infinite, NaN or huge, the direct
// kernels run instead. Source: Lavin and Gray, Fast algorithms for convolutional neural networks, 2015.
// Reference twin: lenetcli/kernels/conv.py.
#pragma once

#include "conv.h"
#include "product.h"

namespace {

constexpr int PARTS = 16;
constexpr int64_t IN_CACHE = 3 << 16;  // floats: three quarters of a second-level cache of 1 MB

// How many tile vectors are transformed at a time, with so many rows for each of the 16 elements.
INLINE int strip_tiles(int rows) {
  const int64_t fit = IN_CACHE / ((int64_t)PARTS * L * rows) / 2 * 2;
  return fit < 2 ? 2 : fit > 16 ? 16 : fit;
}

// Room for one of the 16 elements of so many rows and tiles; a line more, as powers of two would share a part of the
// cache.
INLINE int64_t part_size(int rows, int tiles) { return ((int64_t)rows * tiles + 1) * L; }

// G w G' -> (16, O, C) of a weight (O, C, 3, 3), or (C, O, 3, 3) and turned round.
void winograd_weight(const Conv& a, bool turned, float* to) {
  const int64_t part = (int64_t)a.out * a.channels;
  for (int o = 0; o < a.out; o++)
    for (int c = 0; c < a.channels; c++) {
      const float* w = a.weight + (turned ? (int64_t)c * a.out + o : (int64_t)o * a.channels + c) * 9;
      float half[4][3];
      for (int v = 0; v < 3; v++) {
        const int at = turned ? 2 - v : v;
        const float first = w[turned ? 6 + at : at], second = w[3 + at], third = w[turned ? at : 6 + at];
        half[0][v] = first;
        half[1][v] = 0.5f * (first + second + third);
        half[2][v] = 0.5f * (first - second + third);
        half[3][v] = third;
      }
      float* p = to++;
      for (int u = 0; u < 4; u++, p += 4 * part) {
        const float* h = half[u];
        p[0] = h[0];
        p[part] = 0.5f * (h[0] + h[1] + h[2]);
        p[2 * part] = 0.5f * (h[0] - h[1] + h[2]);
        p[3 * part] = h[2];
      }
    }
}

// B' x B of one patch: element (u, v) goes to to + (4 u + v) * part.
INLINE void transform_patch(const float* x, int64_t row, int64_t column, float* to, int64_t part) {
  Vec half[4][4];
#pragma GCC unroll 4
  for (int t = 0; t < 4; t++) {
    const Vec a = load(x + t * column), b = load(x + row + t * column), c = load(x + 2 * row + t * column);
    const Vec d = load(x + 3 * row + t * column);
    half[0][t] = a - c, half[1][t] = b + c, half[2][t] = c - b, half[3][t] = b - d;
  }
#pragma GCC unroll 4
  for (int u = 0; u < 4; u++, to += 4 * part) {
    const Vec* h = half[u];
    store(to, h[0] - h[2]);
    store(to + part, h[1] + h[2]);
    store(to + 2 * part, h[2] - h[1]);
    store(to + 3 * part, h[1] - h[3]);
  }
}

INLINE const float* tile_at(const View& s, const float* x, int tile) {
  return x + tile / s.columns * s.down + tile % s.columns * s.across;
}

// A' m A of one tile from the 16 products, `part` apart.
INLINE void tile_outputs(const float* m, int64_t part, float bias, Vec* y) {
  Vec half[2][4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; v++) {
    const Vec a = load(m + v * part), b = load(m + (4 + v) * part), c = load(m + (8 + v) * part);
    const Vec d = load(m + (12 + v) * part);
    half[0][v] = a + b + c, half[1][v] = b - c - d;
  }
#pragma GCC unroll 2
  for (int u = 0; u < 2; u++) {
    const Vec* h = half[u];
    y[2 * u] = h[0] + h[1] + h[2] + splat(bias);
    y[2 * u + 1] = h[1] - h[2] - h[3] + splat(bias);
  }
}

size_t winograd_scratch(const Conv& a, const ConvUnit& u, bool backward) {
  const size_t images = images_layout(a, u, backward).end;
  const int strip = strip_tiles(a.channels + (backward ? a.out : 0));
  if (!backward) return images + PARTS * (part_size(a.channels, strip) + part_size(ROWS, strip));
  return images + PARTS * (part_size(a.channels, strip) + part_size(a.out, strip)) +
         (a.channels + PANEL) * (size_t)L * strip;
}

void winograd_tiles(const Conv& a, const ConvUnit& u, const View& s, const float* x, const float* weight,
                    float* parts) {
  const int strip = strip_tiles(a.channels), all = s.rows * s.columns;
  const int64_t part = part_size(a.channels, strip), sums_part = part_size(ROWS, strip);
  float* sums = parts + PARTS * part;
  for (int first = 0; first < all; first += strip) {
    const int count = all - first < strip ? all - first : strip;
    for (int t = 0; t < count; t++) {  // panels of two tiles, as product.h reads them
      const float* tile = tile_at(s, x, first + t);
      float* to = parts + (int64_t)(t / 2) * a.channels * PANEL + t % 2 * L;
      for (int c = 0; c < a.channels; c++, tile += s.channel, to += PANEL)
        transform_patch(tile, s.row[1], s.column[1], to, part);
    }
    for (int o = 0; o < a.out; o += ROWS) {
      const int rows = a.out - o < ROWS ? a.out - o : ROWS;
      for (int i = 0; i < PARTS; i++) {
        Product p = {};
        p.m = rows, p.n = count * L, p.k = a.channels;
        p.a = weight + ((int64_t)i * a.out + o) * a.channels, p.a_row = a.channels, p.a_col = 1;
        p.c = sums + i * sums_part, p.c_row = (int64_t)strip * L, p.c_col = 1;
        some_rows_product<ROWS>(rows, p, 0, 0, (count + 1) / 2, parts + i * part);
      }
      for (int t = 0; t < count; t++) {
        const int tile = first + t;
        const Place to = place_images(a, u, tile / s.columns, tile % s.columns);
        for (int r = 0; r < rows; r++) {
          Vec y[4];
          tile_outputs(sums + ((int64_t)r * strip + t) * L, sums_part, a.bias ? a.bias[o + r] : 0, y);
          if (u.count == L)
            put_images<true>(a, a.pooled, L, to, o + r, y);
          else
            put_images<false>(a, a.pooled, u.count, to, o + r, y);
        }
      }
    }
  }
}

// False, and nothing done, where pixels are not finite or huge.
bool winograd_forward(const Conv& a, const ConvUnit& u, const float* weight, float* scratch) {
  const Geometry g = geometry(a, u);
  const View s = view(g);
  const Scratch at = images_layout(a, u, false);
  if (!pack_images<true>(a, u, g, scratch + at.x)) return false;
  const float* x = scratch + at.x;
  winograd_tiles(a, u, s, x, weight, scratch + at.end);
  return true;
}

// F d F' of the gradients of one tile, L apart; whether they are finite shows in `nothing`.
INLINE void transform_gradient(const float* d, float* to, int64_t part, Vec& nothing) {
  const Vec d0 = load(d), d1 = load(d + L), d2 = load(d + 2 * L), d3 = load(d + 3 * L), one_half = splat(0.5f);
  nothing += (nothing_of(d0) + nothing_of(d1)) + (nothing_of(d2) + nothing_of(d3));
  const Vec rows[4][2] = {{d0, d1}, {(d0 + d2) * one_half, (d1 + d3) * one_half},
                          {(d0 - d2) * one_half, (d1 - d3) * one_half}, {d2, d3}};
#pragma GCC unroll 4
  for (int u = 0; u < 4; u++, to += 4 * part) {
    store(to, rows[u][0]);
    store(to + part, (rows[u][0] + rows[u][1]) * one_half);
    store(to + 2 * part, (rows[u][0] - rows[u][1]) * one_half);
    store(to + 3 * part, rows[u][1]);
  }
}

// Adds the sums over this unit's tiles to `sums` (16, O, C), and to d_bias. False, and nothing of use, where something
// is not finite.
bool winograd_backward(const Conv& a, const ConvUnit& u, float* scratch, float* sums, float* d_bias) {
  const Geometry g = geometry(a, u);
  const View s = view(g);
  const Scratch at = images_layout(a, u, true);
  const float *x = scratch + at.x, *d = scratch + at.d;
  if (!pack_images<true>(a, u, g, scratch + at.x)) return false;
  pack_gradient(a, u, g, scratch + at.d, d_bias);
  const int strip = strip_tiles(a.channels + a.out), all = s.rows * s.columns;
  const int64_t part = part_size(a.channels, strip), d_part = part_size(a.out, strip);
  float *parts = scratch + at.end, *d_parts = parts + PARTS * part, *packed = d_parts + PARTS * d_part;
  const int panels = (a.channels + PANEL - 1) / PANEL, tiles = (a.out + ROWS - 1) / ROWS;
  Vec nothing = {};
  for (int first = 0; first < all; first += strip) {
    const int count = all - first < strip ? all - first : strip;
    const int64_t depth = (int64_t)count * L;
    for (int t = 0; t < count; t++) {
      const float* tile = tile_at(s, x, first + t);
      for (int c = 0; c < a.channels; c++, tile += s.channel)
        transform_patch(tile, s.row[1], s.column[1], parts + c * depth + t * L, part);
      for (int o = 0; o < a.out; o++)
        transform_gradient(d + ((int64_t)o * all + first + t) * 4 * L, d_parts + o * depth + t * L, d_part, nothing);
    }
    for (int i = 0; i < PARTS; i++) {
      Product p = {};
      p.m = a.out, p.n = a.channels, p.k = depth, p.add = true;
      p.a = d_parts + i * d_part, p.a_row = depth, p.a_col = 1;
      p.b = parts + i * part, p.b_row = 1, p.b_col = depth;
      p.c = sums + (int64_t)i * a.out * a.channels, p.c_row = a.channels, p.c_col = 1;
      const ProductUnit all_of_it = {0, 0, panels, 0, tiles};
      product_pack(p, all_of_it, packed);
      product_unit(p, all_of_it, packed);
    }
  }
  return !any_nan(nothing);
}

// E' sums E: (16, O, C) -> (O, C, 3, 3).
void winograd_weight_gradient(const Conv& a, const float* sums, float* d_weight) {
  const int64_t part = (int64_t)a.out * a.channels;
  for (int64_t i = 0; i < part; i++, sums++, d_weight += 9) {
    float half[3][4];
    for (int v = 0; v < 4; v++) {
      const float m0 = sums[v * part], m1 = sums[(4 + v) * part], m2 = sums[(8 + v) * part], m3 = sums[(12 + v) * part];
      half[0][v] = m0 + m1 + m2, half[1][v] = m1 - m2, half[2][v] = m1 + m2 - m3;
    }
    for (int u = 0; u < 3; u++) {
      const float* h = half[u];
      d_weight[3 * u] = h[0] + h[1] + h[2], d_weight[3 * u + 1] = h[1] - h[2], d_weight[3 * u + 2] = h[1] + h[2] - h[3];
    }
  }
}

}  // namespace
