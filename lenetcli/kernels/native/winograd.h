// 3x3 convolutions of stride 1 with a quarter of the multiplications, channels-last: Winograd's F(4x4, 3x3) and, for
// the weight, F(3x3, 4x4).
//
//     y = A' [sum over c of (G w G') * (B' x B)] A             4x4 outputs from a tile of 6x6 pixels
//     d_w = G' [sum over tiles of (A d A') * (B' x B)] G       3x3 weights from such a tile and 4x4 gradients
//
// where * goes element by element: 36 multiplications instead of 144. For each of the 36 elements the sums are a matrix
// product over channels, or over tiles (product.h). Lanes are channels; so many tiles are transformed at a time as stay
// in the cache. The input's gradient is the forward pass of d with the weight turned round.
//
// Kernels of 5x5 to 7x7 are sums of 3x3 ones ("blocks"), each of the image three pixels on: as many channels more, whose
// products are added up before the outputs' transform. A dilated convolution is one without dilation of each of the
// images that every so manieth pixel makes ("phases").
//
// The points are 0, +-5/8, +-3/2 and infinity, exact in binary: rounding errors are a fifth of those of the usual 1 and
// 2. What is infinite, NaN or huge spoils a whole tile and shows in its results: the caller then takes another way.
// Source: Lavin and Gray, Fast algorithms for convolutional neural networks, 2015; Vincent et al., On improving the
// numerical stability of Winograd convolutions, 2017, for the choice of points. Reference twin: lenetcli/kernels/conv.py.
#pragma once

#include "pixels.h"
#include "product.h"

namespace {

constexpr int PARTS = 36, PATCH = 6, STEP = 4;
constexpr int64_t APART_BY = 16;  // floats between the parts: strides of a power of two would share a part of the cache

constexpr float P = 0.625f, Q = 1.5f, P2 = P * P, Q2 = Q * Q, PQ = P2 * Q2;
constexpr float G0 = 1 / PQ, GP = 1 / (2 * P2 * (P2 - Q2)), GQ = 1 / (2 * Q2 * (Q2 - P2));

// One line of each transform: B' x, A' m, A d, G w and G' s.
INLINE void line_of_pixels(const Vec* x, Vec* t) {
  const Vec p = x[4] - Q2 * x[2], q = x[3] - Q2 * x[1], r = x[4] - P2 * x[2], s = x[3] - P2 * x[1];
  t[0] = PQ * x[0] + (x[4] - (P2 + Q2) * x[2]);
  t[1] = p + P * q, t[2] = p - P * q, t[3] = r + Q * s, t[4] = r - Q * s;
  t[5] = PQ * x[1] + (x[5] - (P2 + Q2) * x[3]);
}
INLINE void line_of_outputs(const Vec* m, Vec* y) {
  const Vec p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
  y[0] = m[0] + p + r, y[1] = P * q + Q * s, y[2] = P2 * p + Q2 * r;
  y[3] = (P * P2) * q + ((Q * Q2) * s + m[5]);
}
INLINE void line_of_gradients(const Vec* d, Vec* t) {
  const Vec p = d[0] + P2 * d[2], q = P * d[1] + (P * P2) * d[3];
  const Vec r = d[0] + Q2 * d[2], s = Q * d[1] + (Q * Q2) * d[3];
  t[0] = d[0], t[1] = p + q, t[2] = p - q, t[3] = r + s, t[4] = r - s, t[5] = d[3];
}
INLINE void line_of_weights(const Vec* w, Vec* t) {
  const Vec p = GP * w[0] + (GP * P2) * w[2], q = (GP * P) * w[1];
  const Vec r = GQ * w[0] + (GQ * Q2) * w[2], s = (GQ * Q) * w[1];
  t[0] = G0 * w[0], t[1] = p + q, t[2] = p - q, t[3] = r + s, t[4] = r - s, t[5] = w[2];
}
INLINE void line_of_sums(const Vec* s, Vec* w) {
  const Vec p = s[1] + s[2], q = s[1] - s[2], r = s[3] + s[4], t = s[3] - s[4];
  w[0] = G0 * s[0] + GP * p + GQ * r, w[1] = (GP * P) * q + (GQ * Q) * t;
  w[2] = (GP * P2) * p + ((GQ * Q2) * r + s[5]);
}

// Both lines of a transform: rows of FROM pixels, from(row, column), then columns; put(row, column, vector).
template <int FROM, int TO, class Line, class From, class Put>
INLINE void transform(Line line, From from, Put put) {
  Vec half[TO][FROM];
#pragma GCC unroll 6
  for (int k = 0; k < FROM; k++) {
    Vec column[FROM], made[TO];
#pragma GCC unroll 6
    for (int r = 0; r < FROM; r++) column[r] = from(r, k);
    line(column, made);
#pragma GCC unroll 6
    for (int r = 0; r < TO; r++) half[r][k] = made[r];
  }
#pragma GCC unroll 6
  for (int r = 0; r < TO; r++) {
    Vec made[TO];
    line(half[r], made);
#pragma GCC unroll 6
    for (int k = 0; k < TO; k++) put(r, k, made[k]);
  }
}

// Where a tile lies: its first output.
struct Tile {
  int image, row, column;  // image, and phase of it
};
INLINE float* image_of(const PixelConv& a, const Image& x, int image) {
  const int phases = a.phases_h * a.phases_w, phase = image % phases;
  return x.data + image / phases * x.n + phase / a.phases_w * (x.h / a.phases_h) +
         phase % a.phases_w * (x.w / a.phases_w);
}
INLINE int blocks_of(const PixelConv& a) { return a.blocks_h * a.blocks_w; }
INLINE int sources_of(const PixelConv& a) { return a.channels * blocks_of(a); }
INLINE int tiles_across(const PixelConv& a) { return (a.columns + STEP - 1) / STEP; }
INLINE int tiles_of_image(const PixelConv& a) { return (a.rows + STEP - 1) / STEP * tiles_across(a); }
INLINE Tile tile(const PixelConv& a, int number) {
  const int of_image = tiles_of_image(a), across = tiles_across(a), within = number % of_image;
  return {number / of_image, within / across * STEP, within % across * STEP};
}

// The S x S pixels from (row, column) on of images (N, H, W, channels); those outside are zeros. read(c, p, h, w) for each
// vector of channels: pixel (r, k) of it is at p + r h + k w. There is one such call, and no branch in what it does: else
// compilers fuse other multiplications and additions for tiles at the border, and bits depend on where an image lies.
template <int S, class Read>
INLINE void each_vector(const PixelConv& a, const Image& x, int images, int height, int width, int channels,
                        const Tile& t, int row, int column, Read read) {
  const float* first = image_of(a, x, t.image) + row * x.h + column * x.w;
  const bool inside = row >= 0 && column >= 0 && row + S <= height && column + S <= width;
  // vectors may reach into the next pixel, but not beyond the last one
  const bool last = channels % L && t.image + 1 == images && row + S >= height && column + S >= width;
  const bool plain = inside && !last;
  float border[S * S * L];
  for (int c = 0; c < channels; c += L) {
    if (!plain) {
      memset(border, 0, sizeof border);
      for (int r = row < 0 ? -row : 0; r < S && row + r < height; r++)
        for (int k = column < 0 ? -column : 0; k < S && column + k < width; k++)
          store(border + (r * S + k) * L, load_part(first + r * x.h + k * x.w + c, channels - c));
    }
    read(c, plain ? first + c : border, plain ? x.h : S * L, plain ? x.w : L);
  }
}

// B' x B of a tile, for channel c to to(c) and every `part` floats.
template <class To>
INLINE void transform_pixels(const PixelConv& a, const Tile& t, int64_t part, To to) {
  for (int block = 0; block < blocks_of(a); block++) {
    const int row = t.row - a.pad_h + block / a.blocks_w * 3, column = t.column - a.pad_w + block % a.blocks_w * 3;
    each_vector<PATCH>(a, a.x, a.batch, a.height, a.width, a.channels, t, row, column,
                       [&](int c, const float* x, int64_t h, int64_t w) __attribute__((always_inline)) {
      float* p = to(block * a.channels + c);
      auto pixel = [&](int r, int k) __attribute__((always_inline)) { return load(x + r * h + k * w); };
      transform<6, 6>(line_of_pixels, pixel, [&](int r, int k, Vec v) __attribute__((always_inline)) {
        store(p + (6 * r + k) * part, v);
      });
    });
  }
}

// A d A' of a tile's gradients.
INLINE void transform_gradients(const PixelConv& a, const Tile& t, float* to, int64_t part) {
  each_vector<STEP>(a, a.y, a.batch, a.rows, a.columns, a.out, t, t.row, t.column,
                    [&](int o, const float* d, int64_t h, int64_t w) __attribute__((always_inline)) {
    auto gradient = [&](int r, int k) __attribute__((always_inline)) { return load(d + r * h + k * w); };
    transform<4, 6>(line_of_gradients, gradient, [&](int r, int k, Vec v) __attribute__((always_inline)) {
      store(to + o + (6 * r + k) * part, v);
    });
  });
}

// The weight ----------------------------------------------------------------------------------------------------------

INLINE int64_t weight_part(const PixelConv& a) { return (int64_t)sources_of(a) * PANEL + APART_BY; }
size_t winograd_weight_size(const PixelConv& a) { return PARTS * weight_part(a); }  // of a panel of out-channels

// G w G' -> (36, C, PANEL) for panel number `panel`, of a weight (O, C, 3, 3), or (C, O, 3, 3) and turned round; C are
// those of all blocks. `lines` is memory for 9 C PANEL floats.
void winograd_weight(const PixelConv& a, int panel, float* lines, float* to) {
  const int sources = sources_of(a);
  Product w = {};
  w.n = a.out, w.k = 9, w.b_row = 1, w.b_col = a.turned ? 9 : sources * 9;
  if (a.turned) {
    for (int c = 0; c < sources; c++) {
      w.b = a.weight + (int64_t)c * a.out * 9;
      pack_panel(w, panel, lines + c * 9 * PANEL);
    }
  } else {
    w.b = a.weight, w.k = sources * 9;
    pack_panel(w, panel, lines);
  }
  const int64_t part = weight_part(a);
  for (int c = 0; c < sources; c++, lines += 9 * PANEL, to += PANEL)
    for (int v = 0; v < PANEL; v += L) {
      auto tap = [&](int r, int k) __attribute__((always_inline)) {
        return load(lines + (a.turned ? 8 - 3 * r - k : 3 * r + k) * PANEL + v);
      };
      transform<3, 6>(line_of_weights, tap, [&](int r, int k, Vec w) __attribute__((always_inline)) {
        store(to + v + (6 * r + k) * part, w);
      });
    }
}

// Forward -------------------------------------------------------------------------------------------------------------

struct ForwardRoom {
  int64_t row, part, sums_part;  // floats of a tile, of a part
  size_t sums, weight, lines, end;  // where these begin
};
INLINE ForwardRoom forward_room(const PixelConv& a, const TileUnit& u) {
  ForwardRoom at;
  at.row = (sources_of(a) + L - 1) / L * L;
  at.part = u.strip * at.row + APART_BY, at.sums_part = u.strip * PANEL + APART_BY;
  at.sums = PARTS * at.part, at.weight = at.sums + PARTS * at.sums_part;
  at.lines = at.weight + (u.own_weight ? winograd_weight_size(a) : 0);
  at.end = at.lines + (u.own_weight ? (size_t)9 * sources_of(a) * PANEL : 0);
  return at;
}
size_t winograd_forward_room(const PixelConv& a, const TileUnit& u) { return forward_room(a, u).end; }

// A' m A of a tile, of one panel's out-channels from o on; what is not finite shows in the result.
INLINE Vec put_outputs(const PixelConv& a, const Tile& t, int o, const float* m, int64_t part) {
  Vec seen = {};
  const int left = a.out - o < PANEL ? a.out - o : PANEL;
  float* first = image_of(a, a.y, t.image) + t.row * a.y.h + t.column * a.y.w + o;
  const int rows = a.rows - t.row, columns = a.columns - t.column;
  const bool whole = rows >= STEP && columns >= STEP && left % L == 0;
  const int64_t h = a.y.h, w = a.y.w, to_h = whole ? h : STEP * L, to_w = whole ? w : L;
  const Vec least = splat(a.relu ? 0 : -INFINITY);
  float border[STEP * STEP * L];
  for (int v = 0; v < left; v += L, first += L, m += L) {
    const Vec bias = a.bias ? load_part(a.bias + o + v, left - v) : (Vec){};
    float* to = whole ? first : border;
    auto product = [&](int r, int k) __attribute__((always_inline)) { return load(m + (6 * r + k) * part); };
    transform<6, 4>(line_of_outputs, product, [&](int r, int k, Vec y) __attribute__((always_inline)) {
      y += bias, seen += y;
      store(to + r * to_h + k * to_w, choose(y < least, least, y));
    });
    if (!whole)
      for (int r = 0; r < STEP && r < rows; r++)
        for (int k = 0; k < STEP && k < columns; k++)
          store_part(first + r * h + k * w, left - v, load(border + (r * STEP + k) * L));
  }
  return nothing_of(seen);
}

// The same, relu'd and pooled 2x2, with its winners as bytes; see pixel_pool in pixels.h.
INLINE Vec put_pooled(const PixelConv& a, const Tile& t, int o, const float* m, int64_t part) {
  Vec seen = {};
  const int all = a.out - o < PANEL ? a.out - o : PANEL, rows = a.rows / 2, columns = a.columns / 2;
  for (int v = 0; v < all; v += L, m += L) {
    const int left = all - v;
    const Vec bias = a.bias ? load_part(a.bias + o + v, left) : (Vec){};
    Vec four[2][2][4];
    auto product = [&](int r, int k) __attribute__((always_inline)) { return load(m + (6 * r + k) * part); };
    transform<6, 4>(line_of_outputs, product, [&](int r, int k, Vec y) __attribute__((always_inline)) {
      y += bias, seen += y;
      four[r / 2][k / 2][r % 2 * 2 + k % 2] = y;
    });
    for (int r = 0; r < 2; r++)
      for (int k = 0; k < 2; k++) {
        const int row = t.row / 2 + r, column = t.column / 2 + k;
        if (row >= rows || column >= columns) continue;
        const Best b = best_of(four[r][k]);
        const int64_t at = (((int64_t)t.image * rows + row) * columns + column) * a.out + o + v;
        store_part(a.y.data + at, left, b.value);
        store_winners(a.winner + at, left, b.winner);
      }
  }
  return nothing_of(seen);
}

// Some tiles, some panels of out-channels. False where something is not finite or huge.
bool winograd_forward(const PixelConv& a, const TileUnit& u, const float* weight, float* scratch) {
  const ForwardRoom at = forward_room(a, u);
  float* sums = scratch + at.sums;
  Vec nothing = {};
  for (int first = u.first; first < u.end; first += u.strip) {
    const int count = u.end - first < u.strip ? u.end - first : u.strip;
    for (int t = 0; t < count; t++)
      transform_pixels(a, tile(a, first + t), at.part, [&](int c) { return scratch + t * at.row + c; });
    for (int panel = u.panel; panel < u.panel_end; panel++) {
      const float* w = weight + panel * winograd_weight_size(a);
      if (u.own_weight) {
        winograd_weight(a, panel, scratch + at.lines, scratch + at.weight);
        w = scratch + at.weight;
      }
      Product p = {};
      p.m = count, p.n = a.out - panel * PANEL > L ? PANEL : L, p.k = sources_of(a);
      p.a_row = at.row, p.a_col = 1, p.c_row = PANEL, p.c_col = 1;
      for (int i = 0; i < PARTS; i++) {
        p.a = scratch + i * at.part, p.c = sums + i * at.sums_part;
        for (int t = 0; t < count; t += ROWS)
          some_rows_product<ROWS>(count - t < ROWS ? count - t : ROWS, p, t, 0, 1, w + i * weight_part(a));
      }
      for (int t = 0; t < count; t++)
        nothing += a.winner ? put_pooled(a, tile(a, first + t), panel * PANEL, sums + t * PANEL, at.sums_part)
                            : put_outputs(a, tile(a, first + t), panel * PANEL, sums + t * PANEL, at.sums_part);
    }
  }
  return !any_nan(nothing);
}

// The weight's gradient -----------------------------------------------------------------------------------------------

struct GradientRoom {
  int64_t columns, row, part, d_part;  // channels, and out-channels, of a tile; floats of a part
  size_t d, end;
};
INLINE GradientRoom gradient_room(const PixelConv& a, const TileUnit& u) {
  GradientRoom at;
  at.columns = (sources_of(a) + L - 1) / L * L, at.row = (a.out + L - 1) / L * L;
  at.part = (at.columns + PANEL - 1) / PANEL * PANEL * u.strip + APART_BY, at.d_part = at.row * u.strip + APART_BY;
  at.d = PARTS * at.part, at.end = at.d + PARTS * at.d_part;
  return at;
}
size_t winograd_gradient_room(const PixelConv& a, const TileUnit& u) { return gradient_room(a, u).end; }

INLINE int64_t sums_part(const PixelConv& a) { return (sources_of(a) + L - 1) / L * L * (int64_t)a.out + APART_BY; }
size_t winograd_sums_size(const PixelConv& a) { return PARTS * sums_part(a); }

// The sums over some tiles: (36, O, C).
void winograd_gradient(const PixelConv& a, const TileUnit& u, float* scratch, float* sums) {
  const GradientRoom at = gradient_room(a, u);
  float* d = scratch + at.d;
  const int panels = (at.columns + PANEL - 1) / PANEL;
  for (int first = u.first; first < u.end; first += u.strip) {
    const int count = u.end - first < u.strip ? u.end - first : u.strip;
    for (int t = 0; t < count; t++) {
      const Tile from = tile(a, first + t);
      transform_pixels(a, from, at.part, [&](int c) {  // panels, as product.h reads them
        return scratch + (int64_t)c / PANEL * PANEL * count + t * PANEL + c % PANEL;
      });
      transform_gradients(a, from, d + t * at.row, at.d_part);
    }
    Product p = {};
    p.m = a.out, p.n = at.columns, p.k = count, p.add = first > u.first;
    p.a_row = 1, p.a_col = at.row, p.c_row = at.columns, p.c_col = 1;
    for (int i = 0; i < PARTS; i++) {
      p.a = d + i * at.d_part, p.c = sums + i * sums_part(a);
      for (int o = 0; o < a.out; o += ROWS)
        some_rows_product<ROWS>(a.out - o < ROWS ? a.out - o : ROWS, p, o, 0, panels, scratch + i * at.part);
    }
  }
}

// G' sums G of filter o: (36, O, C) -> (C, 3, 3). False where something is not finite or huge.
bool winograd_filter(const PixelConv& a, const float* sums, int o, float* d_weight) {
  const int sources = sources_of(a);
  const int64_t part = sums_part(a), columns = (sources + L - 1) / L * L;
  sums += o * columns;
  Vec seen = {};
  for (int c = 0; c < sources; c += L, d_weight += 9 * L) {
    float taps[9 * L];
    auto from = [&](int r, int k) __attribute__((always_inline)) { return load(sums + c + (6 * r + k) * part); };
    transform<6, 3>(line_of_sums, from, [&](int r, int k, Vec w) __attribute__((always_inline)) {
      seen += nothing_of(w);
      store(taps + (3 * r + k) * L, w);
    });
    const int left = sources - c;
    for (int l = 0; l + 4 <= left && l < L; l += 4) {
      transpose_four(taps + l, L, d_weight + 9 * l, 9);
      transpose_four(taps + 4 * L + l, L, d_weight + 9 * l + 4, 9);
    }
    for (int l = 0; l < left && l < L; l++)
      for (int k = l < left / 4 * 4 ? 8 : 0; k < 9; k++) d_weight[9 * l + k] = taps[k * L + l];
  }
  return !any_nan(seen);
}

}  // namespace
