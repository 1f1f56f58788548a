// Convolution of stride 1 on vectors of images, forward and backward, alone or with relu and 2x2 max-pooling.
//
//     y[o, p, q] = bias[o] + sum over c, u, v of weight[o, c, u, v] * x[c, p + u, q + v]
//
// The unit of work is a tile: the 2x2 outputs (p, q), (p, q + 1), (p + 1, q), (p + 1, q + 1), numbered 0 to 3, that are
// computed from one patch of (K + 1) x (K + 1) pixels kept in registers. A register holds the same pixel of L images
// or, for the few images that do not fill a register, of L neighbouring tiles of one image ("patches"): the input is
// first packed into one of these two forms, where the inner loops find it through a View, whatever its memory order
// was. Reference twins: lenetcli/kernels/conv.py, lenetcli/kernels/fused.py.
#pragma once

#include "conv_backward.h"
#include "conv_forward.h"
#include "conv_tiles.h"

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

// Blocks of L images; what is left over as one more block, or image by image where that is less work. With `wanted`
// above 1 the tile rows are cut, too, until there are that many units.
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
  size_t packed = (size_t)a.channels * s.channel, image = (size_t)a.channels * g.pixel_rows * (g.pixel_columns + 1);
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
  const Kind kind = u.count < L ? SOME : a.pooled ? POOLED : PLAIN;
  LENET_FOR_KERNEL(a.kernel, kind == SOME     ? tiles_forward<k, SOME>(a, u, s, g, x)
                             : kind == POOLED ? tiles_forward<k, POOLED>(a, u, s, g, x)
                                              : tiles_forward<k, PLAIN>(a, u, s, g, x));
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
  memset(d_image, 0, sizeof(float) * (at.end - at.d_image));
  unpack_patches(a, g, d_x, d_image);
  unpack_one(a, u, g, d_image);
  return true;
}

}  // namespace
