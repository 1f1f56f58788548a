// Gradients of a convolution's weight and input; see conv.h.
#pragma once

#include "conv_tiles.h"

namespace {

// The gradient of the four outputs of tile (i, j) of some images, zero where an output was not the pool's winner or
// lies outside.
template <bool WHOLE>
INLINE void tile_gradient(const Conv& a, int count, const float* from, const uint8_t* won, int i, int j, float* out) {
  const Image& y = a.y;
  if (a.pooled) {
    const float* p = from + i * y.h + j * y.w;
    const uint8_t* w = won + i * winner_row(a) + (int64_t)j * a.group;
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

// The gradient of every output, tile by tile -> (O, tiles, 4, L); that of the bias is added to d_bias.
void pack_gradient(const Conv& a, const ConvUnit& u, const Geometry& g, float* out, float* d_bias) {
  const bool whole = u.count == L && a.y.n == 1;
  for (int o = 0; o < a.out; o++) {
    const float* from = a.y.data + o * a.y.c + u.first * a.y.n;
    const uint8_t* won = a.winner + (a.pooled ? winner_image(a, u.first) + o * winner_channel(a) : 0);
    Vec total = {};
    for (int i = u.from; i < u.to; i++)
      for (int j = 0; j < g.tile_columns; j++, out += 4 * L) {
        whole ? tile_gradient<true>(a, u.count, from, won, i, j, out)
              : tile_gradient<false>(a, u.count, from, won, i, j, out);
        total += (load(out) + load(out + L)) + (load(out + 2 * L) + load(out + 3 * L));
      }
    d_bias[o] += sum(total);
  }
}

// d_weight[o, c, u, v] += sum over tiles of d[q] * x for B out-channels and U kernel rows from u0, in registers.
template <int K, int B, int U>
INLINE void rows_weight(const View& s, const Deltas& deltas, const float* x, const float* d, int u0, float* d_weight,
                        int64_t weight_out) {
  int64_t row[U + 1], column[K + 1];
  for (int r = 0; r <= U; r++) row[r] = s.row[u0 + r];
  for (int t = 0; t <= K; t++) column[t] = s.column[t];
  const Deltas to = deltas;
  Vec sums[B][U][K];
  for (int k = 0; k < B; k++)
    for (int u = 0; u < U; u++)
      for (int v = 0; v < K; v++) sums[k][u][v] = (Vec){};
  for (int i = 0; i < s.rows; i++)
    for (int j = 0; j < s.columns; j++, d += to.step) {
      const float* tile = x + i * s.down + j * s.across;
      Vec g[B][4];
      for (int k = 0; k < B; k++)
        for (int q = 0; q < 4; q++) g[k][q] = load(d + k * to.out + to.output[q]);
#pragma GCC unroll 8
      for (int r = 0; r <= U; r++)
#pragma GCC unroll 8
        for (int t = 0; t <= K; t++) {
          Vec p = load(tile + row[r] + column[t]);
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
INLINE void kernel_weight(const View& s, const Deltas& to, const float* x, const float* d, float* d_weight,
                          int64_t out) {
  constexpr int budget = (MANY_REGISTERS ? 26 : 10) / (K * B);
  constexpr int U = budget < 1 ? 1 : budget > K ? K : budget;
  int u = 0;
  for (; u + U <= K; u += U) rows_weight<K, B, U>(s, to, x, d, u, d_weight, out);
  if (U > 1)
    for (; u < K; u++) rows_weight<K, B, 1>(s, to, x, d, u, d_weight, out);
}

template <int K>
APART void weight_gradient(const Conv& a, const View& s, const Deltas& to, const float* x, const float* d,
                     float* d_weight) {
  constexpr int B = MANY_REGISTERS && K <= 3 ? 2 : 1;
  const int64_t out = (int64_t)a.channels * K * K;
  for (int c = 0; c < a.channels; c++, x += s.channel, d_weight += K * K) {
    int o = 0;
    for (; o + B <= a.out; o += B) kernel_weight<K, B>(s, to, x, d + o * to.out, d_weight + o * out, out);
    if (B > 1 && o < a.out) kernel_weight<K, 1>(s, to, x, d + o * to.out, d_weight + o * out, out);
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
      float* p = d_x + s.row[R0 + r] + s.column[t];
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

}  // namespace
