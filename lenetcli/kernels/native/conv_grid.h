// Convolutions of fewer images than a vector has lanes; see conv.h.
//
// The pixels of even and odd rows and columns lie apart, in four planes (rows, pitch, images):
//
//     pixel (r, t) of tile (i, j) of image m
//         plane 2 (r % 2) + t % 2, place ((i + r / 2) pitch + j + t / 2) images + m
//
// so that a vector, read from any place on, holds the same pixel of neighbouring tiles of all images: nothing is
// gathered. The pitch is that of a row of pixels. Tiles that end beyond it, K / 2 a row, are computed as well and not
// written; in gradients they are zeros, and as such the border between two rows.
//
// The gradient of the input is the forward pass of that of the output, with a border of K - 1 zeros and the weight
// turned round.
#pragma once

#include "conv_backward.h"
#include "conv_forward.h"
#include "pointwise.h"

namespace {

// Planes of some rows of pixels, and the tile vectors that go over them.
struct Grid {
  int images, pitch, vectors;
  int64_t plane;

  INLINE int64_t at(int row, int column) const {
    return (row % 2 * 2 + column % 2) * plane + ((int64_t)(row / 2) * pitch + column / 2) * images;
  }
  INLINE int64_t channel() const { return 4 * plane; }
  INLINE int64_t lanes() const { return (int64_t)vectors * L; }
};

// Of tiles in `rows` rows that use `pixel_rows` of pixels.
INLINE Grid grid(const Conv& a, const ConvUnit& u, const Geometry& g, int rows, int pixel_rows) {
  const int pitch = g.tile_columns + a.kernel / 2;
  const int64_t seen = (int64_t)rows * pitch * u.count;
  Grid s = {u.count, pitch, (int)((seen + L - 1) / L), 0};
  s.plane = ((int64_t)(pixel_rows + 1) / 2 * pitch + a.kernel / 2) * u.count + 2 * L;
  return s;
}

// Tile vectors of a grid, those of a gradient from its pixel (row, column) on.
INLINE View view(const Conv& a, const Grid& s) {
  View v = {1, s.vectors, 0, L, s.channel(), {}, {}};
  for (int i = 0; i <= a.kernel; i++) v.row[i] = s.at(i, 0), v.column[i] = s.at(0, i);
  return v;
}

// The grids of a unit: of its input, of the output's gradient, whose tiles are those of the input's.
struct Grids {
  Grid x, d;
  int rows;  // of pixels of the gradient
};

INLINE Grids grids(const Conv& a, const ConvUnit& u, const Geometry& g) {
  const int reach = u.to == g.tile_rows ? a.kernel / 2 : 0;  // tile rows of the input beyond the last of the output
  Grids s;
  s.x = grid(a, u, g, g.count, g.pixel_rows);
  s.rows = 2 * (g.count + reach) + a.kernel - 1;
  s.d = grid(a, u, g, g.count + reach, s.rows);
  return s;
}

// Where a stretch of an image's row begins in even and odd columns of a grid, by the parity of the first.
template <class T>
struct Pair {
  T *first, *second;

  INLINE Pair(const Grid& s, T* line, int column)
      : first(line + s.at(0, column)), second(line + s.at(0, column + 1)) {}
};

// Rows of images, `top` and `left` of which is the grid's first pixel, -> a grid; zeros beyond the images' edges.
void pack_grid(const Image& x, const ConvUnit& u, int channels, int height, int width, int top, int left, int rows,
               const Grid& s, float* out) {
  memset(out, 0, sizeof(float) * channels * s.channel());
  const int begin = left > 0 ? left : 0, end = left + 2 * s.pitch < width ? left + 2 * s.pitch : width;
  for (int c = 0; c < channels; c++, out += s.channel())
    for (int i = 0; i < rows; i++) {
      if (top + i < 0 || top + i >= height) continue;
      const float* p = x.data + u.first * x.n + c * x.c + (top + i) * x.h + begin * x.w;
      const Pair<float> to(s, out + s.at(i, 0), begin - left);
      const int64_t count = end - begin;
      if (s.images > 1) {
        for (int64_t w = 0; w < count; w++, p += x.w)
          store((w % 2 ? to.second : to.first) + w / 2 * s.images,
                x.n == 1 ? load_first(p, s.images) : load_some(p, x.n, s.images));
      } else if (x.w == 1) {
        for (int64_t w = 0; w < count; w += 2 * L) {
          const int64_t more = count - w, next = more - L;
          const Vec a = load_first(p + w, more < L ? more : L);
          const Vec b = next <= 0 ? (Vec){} : load_first(p + w + L, next < L ? next : L);
          store(to.first + w / 2, evens(a, b));
          store(to.second + w / 2, odds(a, b));
        }
      } else {
        for (int64_t w = 0; w < count; w += 2) to.first[w / 2] = p[w * x.w];
        for (int64_t w = 1; w < count; w += 2) to.second[w / 2] = p[w * x.w];
      }
    }
}

// The gradient of what the pool has left of each tile, to where it came from; the grid's first pixel row is `top`.
void spread_grid(const Conv& a, const ConvUnit& u, const Geometry& g, int top, int rows, const Grid& s, float* out) {
  memset(out, 0, sizeof(float) * a.out * s.channel());
  const Image& y = a.y;
  const int n = u.count, border = a.kernel - 1, lanes = g.tile_columns * n;
  const bool together = (n == 1 || y.n == 1) && y.w == n && a.group == n;
  const uint8_t* safe = a.winner + winner_image(a, (a.batch + a.group - 1) / a.group * a.group) - L;
  const int from = u.from - a.kernel / 2 > 0 ? u.from - a.kernel / 2 : 0;
  for (int o = 0; o < a.out; o++, out += s.channel())
    for (int i = from; i < u.to; i++) {
      const float* grad = y.data + o * y.c + i * y.h + u.first * y.n;
      const uint8_t* won = a.winner + winner_image(a, u.first) + o * winner_channel(a) + i * winner_row(a);
      float* to[4];
      for (int q = 0; q < 4; q++) {
        const int row = 2 * i + q / 2 + border - top;
        to[q] = row < 0 ? nullptr : out + s.at(row, q % 2 + border);
      }
      if (together) {
        for (int l = 0; l < lanes; l += L) {
          const Vec v = load_first(grad + l, lanes - l < L ? lanes - l : L);
          uint8_t last[L];
          const uint8_t* w = won + l;
          if (w > safe) w = (const uint8_t*)memcpy(last, w, lanes - l < L ? lanes - l : L);
          const Mask m = load_bytes(w);
#pragma GCC unroll 4
          for (int q = 0; q < 4; q++)
            if (to[q]) store(to[q] + l, choose(m == splat_int(q), v, (Vec){}));
        }
        continue;
      }
      for (int j = 0; j < g.tile_columns; j++)
        for (int m = 0; m < n; m++) {
          const int q = won[(int64_t)j * a.group + (u.first + m) % a.group - u.first % a.group];
          if (q < 4 && to[q]) to[q][j * n + m] = grad[j * y.w + m * y.n];
        }
    }
}

// Results (channels, 4, lanes) of tile rows that begin at pixel row `top` -> rows of images that are `left` further
// left; the last rows and columns are zero where no tile is.
void write_grid(const Image& y, const ConvUnit& u, int channels, int from, int to, int width, int top, int left,
                int pixel_rows, int pixel_columns, const Grid& s, const float* results) {
  for (int c = 0; c < channels; c++, results += 4 * s.lanes())
    for (int h = from; h < to; h++) {
      float* p = y.data + u.first * y.n + c * y.c + h * y.h;
      const int row = h - top;
      const int seen = row >= pixel_rows ? 0 : pixel_columns - left < width ? pixel_columns - left : width;
      const float* line = results + row % 2 * 2 * s.lanes() + (int64_t)(row / 2) * s.pitch * s.images;
      const float* first = line + left % 2 * s.lanes() + (int64_t)(left / 2) * s.images;
      const float* second = line + (left + 1) % 2 * s.lanes() + (int64_t)((left + 1) / 2) * s.images;
      int w = 0;
      if (s.images == 1 && y.w == 1)
        for (; w < seen; w += L) {
          const int pairs = (seen - w + 1) / 2;
          const Vec a = load_first(first + w / 2, pairs < L / 2 ? pairs : L / 2);
          const Vec b = load_first(second + w / 2, pairs < L / 2 ? pairs : L / 2);
          store_first(p + w, seen - w < L ? seen - w : L, first_in_turn(a, b));
        }
      else
        for (; w < seen; w++) {
          const float* from = (w % 2 ? second : first) + w / 2 * s.images;
          for (int m = 0; m < s.images; m++) p[w * y.w + m * y.n] = from[m];
        }
      for (w = seen < 0 ? 0 : seen; w < width; w++)
        for (int m = 0; m < s.images; m++) p[w * y.w + m * y.n] = 0;
    }
}

// The same of pooled results (O, lanes) and their winners.
void write_pooled(const Conv& a, const ConvUnit& u, const Geometry& g, const Grid& s, const float* results,
                  const uint8_t* winners) {
  const Image& y = a.y;
  const int n = u.count, lanes = g.tile_columns * n;
  const bool together = (n == 1 || y.n == 1) && y.w == n && a.group == n;
  for (int o = 0; o < a.out; o++, results += s.lanes(), winners += s.lanes())
    for (int i = 0; i < g.count; i++) {
      float* to = y.data + u.first * y.n + o * y.c + (u.from + i) * y.h;
      uint8_t* won = a.winner + winner_image(a, u.first) + o * winner_channel(a) + (u.from + i) * winner_row(a);
      const float* value = results + (int64_t)i * s.pitch * n;
      const uint8_t* winner = winners + (int64_t)i * s.pitch * n;
      if (together) {
        for (int l = 0; l < lanes; l += L)
          store_first(to + l, lanes - l < L ? lanes - l : L, load_first(value + l, lanes - l < L ? lanes - l : L));
        memcpy(won, winner, lanes);
        continue;
      }
      for (int j = 0; j < g.tile_columns; j++)
        for (int m = 0; m < n; m++) {
          to[j * y.w + m * y.n] = value[j * n + m];
          won[(int64_t)j * a.group + (u.first + m) % a.group - u.first % a.group] = winner[j * n + m];
        }
    }
}

// Of results (O, 4, lanes) those that are the winners.
void write_chosen(const Conv& a, const ConvUnit& u, const Geometry& g, const Grid& s, const float* results) {
  const Image& y = a.y;
  const int n = u.count;
  for (int o = 0; o < a.out; o++, results += 4 * s.lanes())
    for (int i = 0; i < g.count; i++) {
      float* to = y.data + u.first * y.n + o * y.c + (u.from + i) * y.h;
      const uint8_t* won = a.winner + winner_image(a, u.first) + o * winner_channel(a) + (u.from + i) * winner_row(a);
      const float* value = results + (int64_t)i * s.pitch * n;
      for (int j = 0; j < g.tile_columns; j++)
        for (int m = 0; m < n; m++) {
          const int q = won[(int64_t)j * a.group + (u.first + m) % a.group - u.first % a.group];
          to[j * y.w + m * y.n] = q < 4 ? value[q * s.lanes() + j * n + m] : 0;
        }
    }
}

struct GridScratch {
  size_t x, d, results, winners, end;  // where each part begins, in floats
};

INLINE GridScratch grid_layout(const Conv& a, const Grids& s, bool backward) {
  auto round = [](size_t n) { return (n + 15) / 16 * 16; };
  GridScratch at;
  at.x = 0;
  at.d = round(a.channels * s.x.channel());
  at.results = at.d + (backward ? round(a.out * s.d.channel()) : 0);
  const int64_t forward = a.out * s.x.lanes() * (a.pooled && !a.chosen ? 1 : 4);
  at.winners = at.results + round(!backward ? forward : a.d_x.data ? a.channels * 4 * s.d.lanes() : 0) + L;
  at.end = at.winners + (!backward && a.pooled ? round(a.out * s.x.lanes() / 4) : 0);
  return at;
}

template <int K>
void grid_forward(const Conv& a, const ConvUnit& u, const Geometry& g, float* scratch) {
  const Grids s = grids(a, u, g);
  const GridScratch at = grid_layout(a, s, false);
  float *x = scratch + at.x, *results = scratch + at.results;
  uint8_t* winners = (uint8_t*)(scratch + at.winners);
  pack_grid(a.x, u, a.channels, a.height, a.width, 2 * u.from - a.pad_h, -a.pad_w, g.pixel_rows, s.x, x);
  const Filters f = {a.channels, a.out, a.weight, a.bias};
  tiles_forward<K>(f, view(a, s.x), x, {a, u, results, winners, s.x.lanes()});
  if (a.pooled && a.chosen) return write_chosen(a, u, g, s.x, results);
  if (a.pooled) return write_pooled(a, u, g, s.x, results, winners);
  const int end = 2 * u.to < a.rows ? 2 * u.to : a.rows;
  write_grid(a.y, u, a.out, 2 * u.from, end, a.columns, 2 * u.from, 0, 2 * g.count, a.columns, s.x, results);
}

template <int K>
bool grid_backward(const Conv& a, const ConvUnit& u, const Geometry& g, float* scratch, float* d_weight,
                   float* d_bias) {
  const Grids s = grids(a, u, g);
  const GridScratch at = grid_layout(a, s, true);
  float *x = scratch + at.x, *d = scratch + at.d, *results = scratch + at.results;
  const int border = K - 1;
  if (a.pooled)
    spread_grid(a, u, g, 2 * u.from, s.rows, s.d, d);
  else
    pack_grid(a.y, u, a.out, a.rows, a.columns, 2 * u.from - border, -border, s.rows, s.d, d);
  Deltas to = {s.d.channel(), L, {}};
  for (int q = 0; q < 4; q++) to.output[q] = s.d.at(border + q / 2, border + q % 2);
  for (int o = 0; o < a.out; o++) {
    Vec total = {};
    for (int64_t v = 0; v < s.x.lanes(); v += L) {
      const float* p = d + o * to.out + v;
      total += (load(p + to.output[0]) + load(p + to.output[1])) + (load(p + to.output[2]) + load(p + to.output[3]));
    }
    d_bias[o] += sum(total);
  }
  if (d_weight) {
    pack_grid(a.x, u, a.channels, a.height, a.width, 2 * u.from - a.pad_h, -a.pad_w, g.pixel_rows, s.x, x);
    // tiles between rows have no gradient, but 0 times infinity is NaN
    if (!all_finite(x, a.channels * s.x.channel()) || !margin_finite(a, u, g)) return false;
    weight_gradient<K>(a, view(a, s.x), to, x, d, d_weight);
  }
  if (!a.d_x.data) return true;
  Results grid = {a, u, results, nullptr, s.d.lanes()};
  grid.conv.pooled = grid.conv.relu = false;
  tiles_forward<K>({a.out, a.channels, a.turned, nullptr}, view(a, s.d), d, grid);
  const bool last = u.to == g.tile_rows;
  const int from = 2 * u.from - a.pad_h, end = last ? a.height : 2 * u.to - a.pad_h;
  write_grid(a.d_x, u, a.channels, from > 0 ? from : 0, end < a.height ? end : a.height, a.width, from, a.pad_w,
             last ? 2 * g.count + border : 2 * g.count, g.pixel_columns, s.d, results);
  return true;
}

}  // namespace
