// Convolution of stride 1 on vectors of images, forward and backward, alone or with relu and 2x2 max-pooling.
//
//     y[o, p, q] = bias[o] + sum over c, u, v of weight[o, c, u, v] * x[c, p + u, q + v]
//
// The unit of work is a tile: the 2x2 outputs (p, q), (p, q + 1), (p + 1, q), (p + 1, q + 1), numbered 0 to 3, that are
// computed from one patch of (K + 1) x (K + 1) pixels kept in registers. A register holds the same pixel of L images
// or, for the few images that do not fill a register, of neighbouring tiles of them (conv_grid.h): the input is first
// packed into one of these two forms, where the inner loops find it through a View, whatever its memory order was.
// Backward through a pool, of whose four outputs one has a gradient, lanes are neighbours in a row (conv_winners.h).
// Reference twins: lenetcli/kernels/conv.py, lenetcli/kernels/fused.py.
#pragma once

#include "conv_backward.h"
#include "conv_forward.h"
#include "conv_grid.h"
#include "conv_tiles.h"
#include "conv_winners.h"

namespace {

// Runs a statement with the kernel size at hand as the constant `k`.
#define LENET_FOR_KERNEL(K, ...)                   \
  switch (K) {                                     \
    LENET_CASE(1, __VA_ARGS__)                     \
    LENET_CASE(2, __VA_ARGS__)                     \
    LENET_CASE(3, __VA_ARGS__)                     \
    LENET_CASE(4, __VA_ARGS__)                     \
    LENET_CASE(5, __VA_ARGS__)                     \
    LENET_CASE(6, __VA_ARGS__)                     \
    LENET_CASE(7, __VA_ARGS__)                     \
  }
#define LENET_CASE(K, ...)                         \
  case K: {                                        \
    constexpr int k = K;                           \
    __VA_ARGS__;                                   \
    break;                                         \
  }

constexpr double GRID = 65536;  // floats of a unit of few images that stay in the cache
constexpr double SHARE = 2e5;   // multiply-adds of it that are worth a unit of their own in the backward pass

// Into how many units the tile rows of `images` images are cut that do not fill a vector.
int grid_strips(const Conv& a, int images, int wanted) {
  const double places = (double)images * a.rows * a.columns;
  const double size = places * (a.channels + (a.pooled ? 0.5 : 1) * a.out) * (wanted ? 1 : 2);
  const double work = places * a.channels * a.out * a.kernel * a.kernel;
  const double strips = wanted ? wanted : work / SHARE < 8 ? work / SHARE : 8;
  return size / GRID > strips ? size / GRID : strips;
}

// Blocks of L images, and one of what is left over. Wanted are units of the forward pass, whose tile rows may be cut
// anywhere.
int conv_units(const Conv& a, int wanted, ConvUnit* units) {
  const int rows = tiles(a, a.rows), whole = a.batch / L, rest = a.batch % L, blocks = whole + (rest > 0);
  int count = 0;
  for (int b = 0; b < blocks; b++) {
    int strips = wanted ? (wanted + blocks - 1) / blocks : 1;
    if (b == whole) strips = grid_strips(a, rest, wanted ? strips : 0);
    if (strips > rows / 2) strips = rows / 2;
    if (strips < 1) strips = 1;
    for (int s = 0; s < strips; s++, count++)
      if (units) units[count] = {b * L, b < whole ? L : rest, rows * s / strips, rows * (s + 1) / strips};
  }
  return count;
}

struct Scratch {
  size_t x, d, d_x, end;  // where each part begins, in floats
};

INLINE Scratch images_layout(const Conv& a, const ConvUnit& u, bool backward) {
  const Geometry g = geometry(a, u);
  const size_t packed = (size_t)a.channels * view(g).channel;
  Scratch at;
  at.x = 0;
  at.d = packed;
  at.d_x = at.d + (backward ? (size_t)a.out * g.count * g.tile_columns * 4 * L : 0);
  at.end = at.d_x + (backward && a.d_x.data ? packed : 0);
  return at;
}

size_t conv_scratch(const Conv& a, const ConvUnit& u, bool backward) {
  if (u.count == L && backward && by_winner(a)) return lines(a, geometry(a, u)).end;
  if (u.count == L) return images_layout(a, u, backward).end;
  return grid_layout(a, grids(a, u, geometry(a, u)), backward).end;
}

void conv_forward(const Conv& a, const ConvUnit& u, float* scratch) {
  const Geometry g = geometry(a, u);
  if (u.count < L) {
    LENET_FOR_KERNEL(a.kernel, grid_forward<k>(a, u, g, scratch));
    return;
  }
  const View s = view(g);
  pack_images<false>(a, u, g, scratch);
  const Filters f = {a.channels, a.out, a.weight, a.bias};
  LENET_FOR_KERNEL(a.kernel, tiles_forward<k>(f, s, scratch, {a, u, nullptr, nullptr, 0}));
}

// The weight turned round, each filter from its end to its beginning: (C, O, K, K).
size_t turned_filters(const Conv& a, float* to) {
  const int size = a.kernel * a.kernel;
  if (to)
    for (int c = 0; c < a.channels; c++)
      for (int o = 0; o < a.out; o++)
        for (int i = 0; i < size; i++) *to++ = a.weight[((int64_t)o * a.channels + c + 1) * size - 1 - i];
  return (size_t)a.out * a.channels * size;
}

size_t conv_filters(Conv& a, float* to) {
  if (!a.d_x.data) return 0;
  size_t size = 0;
  a.filters = to;
  if (by_winner(a)) size = (winner_filters(a, to) + 15) / 16 * 16;
  a.turned = to ? to + size : nullptr;
  return a.batch % L ? size + turned_filters(a, to ? to + size : nullptr) : size;
}

bool conv_backward(const Conv& a, const ConvUnit& u, float* scratch, float* d_weight, float* d_bias) {
  const Geometry g = geometry(a, u);
  if (u.count < L) {
    bool done = false;
    LENET_FOR_KERNEL(a.kernel, done = grid_backward<k>(a, u, g, scratch, d_weight, d_bias));
    return done;
  }
  if (by_winner(a)) return winners_backward(a, u, scratch, d_weight, d_bias);
  const View s = view(g);
  const Scratch at = images_layout(a, u, true);
  float *x = scratch + at.x, *d = scratch + at.d, *d_x = scratch + at.d_x;
  if (d_weight) {
    const bool odd = a.rows % 2 || a.columns % 2;
    const bool finite = odd ? pack_images<true>(a, u, g, x) : pack_images<false>(a, u, g, x);
    if (odd && !(finite && margin_finite(a, u, g))) return false;
  }
  pack_gradient(a, u, g, d, d_bias);
  const Deltas to = {(int64_t)s.rows * s.columns * 4 * L, 4 * L, {0, L, 2 * L, 3 * L}};
  if (d_weight) LENET_FOR_KERNEL(a.kernel, weight_gradient<k>(a, s, to, x, d, d_weight));
  if (!a.d_x.data) return true;
  memset(d_x, 0, sizeof(float) * a.channels * s.channel);
  LENET_FOR_KERNEL(a.kernel, input_gradient<k>(a, s, d, d_x));
  unpack_images(a, u, g.pixel_rows, g.pixel_columns, d_x);
  return true;
}

}  // namespace
