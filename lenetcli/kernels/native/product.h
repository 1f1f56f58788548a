// Matrix product C = A B (+ bias of each row) (then relu), for matrices of any strides.
//
//     c[i, j] = bias[i] + sum over k of a[i, k] b[k, j]            (M, N) = (M, K) (K, N)
//
// B is packed into panels of 2 L columns, zero beyond its edge; a tile of ROWS x 2 L sums stays in registers while k
// runs over DEPTH products, then joins what C holds of the products before: a result never depends on how the tiles
// were shared out. A is read where it lies. With a batch-last x (I, N), a Linear layer needs no transposition: Y = W X,
// dX = W' dY; only dW = dY X' packs X'. Every unit of work has the panels it needs packed in memory of its thread.
// Reference twin: lenetcli/kernels/linear.py.
#pragma once

#include "kernels.h"
#include "vector.h"

namespace {

constexpr int ROWS = MANY_REGISTERS ? 12 : 6, PANEL = 2 * L;
constexpr int DEPTH = 512;
constexpr int THIN = 4;

typedef float Four __attribute__((vector_size(16)));
typedef float LooseFour __attribute__((vector_size(16), aligned(4), may_alias));

// Four rows of four floats, transposed.
INLINE void transpose_four(const float* from, int64_t step, float* to, int64_t to_step) {
  Four a = *(const LooseFour*)from, b = *(const LooseFour*)(from + step);
  Four c = *(const LooseFour*)(from + 2 * step), d = *(const LooseFour*)(from + 3 * step);
  Four ac0 = __builtin_shufflevector(a, c, 0, 4, 1, 5), ac1 = __builtin_shufflevector(a, c, 2, 6, 3, 7);
  Four bd0 = __builtin_shufflevector(b, d, 0, 4, 1, 5), bd1 = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  *(LooseFour*)to = __builtin_shufflevector(ac0, bd0, 0, 4, 1, 5);
  *(LooseFour*)(to + to_step) = __builtin_shufflevector(ac0, bd0, 2, 6, 3, 7);
  *(LooseFour*)(to + 2 * to_step) = __builtin_shufflevector(ac1, bd1, 0, 4, 1, 5);
  *(LooseFour*)(to + 3 * to_step) = __builtin_shufflevector(ac1, bd1, 2, 6, 3, 7);
}

// Panel number `panel` of B -> (K, PANEL).
void pack_panel(const Product& p, int panel, float* to) {
  const int64_t first = (int64_t)panel * PANEL;
  const int count = p.n - first < PANEL ? p.n - first : PANEL;
  const float* from = p.b + first * p.b_col;
  if (p.b_col == 1) {
    const int left = count < L ? count : L, right = count - left;
    for (int k = 0; k < p.k; k++, from += p.b_row, to += PANEL) {
      store(to, count == PANEL ? load(from) : load_first(from, left));
      store(to + L, count == PANEL ? load(from + L) : right ? load_first(from + L, right) : (Vec){});
    }
    return;
  }
  int k = 0;
  if (p.b_row == 1)
    for (; k + 4 <= p.k; k += 4) {
      int j = 0;
      for (; j + 4 <= count; j += 4)
        transpose_four(from + j * p.b_col + k, p.b_col, to + k * PANEL + j, PANEL);
      for (; j < PANEL; j++)
        for (int i = 0; i < 4; i++) to[(k + i) * PANEL + j] = j < count ? from[k + i + j * p.b_col] : 0;
    }
  for (; k < p.k; k++)
    for (int j = 0; j < PANEL; j++) to[k * PANEL + j] = j < count ? from[k * p.b_row + j * p.b_col] : 0;
}

// R rows by V vectors of C, the products from k on; `a` is the first row's, from k on.
template <int R, int V>
INLINE void tile_product(const Product& p, int i, int k, const float* a, int64_t a_row, int64_t a_col, const float* b,
                         float* c, int count) {
  const int end = p.k - k < DEPTH ? p.k : k + DEPTH;
  const bool first = k == 0 && !p.add, last = end == p.k;
  Vec sums[R][V];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < V; v++) sums[r][v] = (Vec){};
  const float* third[4];  // every third row: an address holds the two after it
  for (int g = 0; g < 4; g++) third[g] = a + g * 3 * a_row;
  for (; k < end; k++, b += PANEL) {
    Vec line[V];
    for (int v = 0; v < V; v++) line[v] = load(b + v * L);
#pragma GCC unroll 12
    for (int r = 0; r < R; r++) {
      Vec f = splat(third[r / 3][r % 3 * a_row]);
      for (int v = 0; v < V; v++) sums[r][v] += f * line[v];
    }
    for (int g = 0; g < (R + 2) / 3; g++) third[g] += a_col;
  }
  if (count >= V * L && !(last && (p.bias || p.relu))) {  // of few products to a sum, half the time goes here
    if (!first)
#pragma GCC unroll 12
      for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) sums[r][v] += load(c + r * p.c_row + v * L);
#pragma GCC unroll 12
    for (int r = 0; r < R; r++)
      for (int v = 0; v < V; v++) store(c + r * p.c_row + v * L, sums[r][v]);
    return;
  }
  for (int r = 0; r < R; r++, c += p.c_row)
    for (int v = 0; v < V; v++) {
      Vec y = sums[r][v];
      const int left = count - v * L;
      if (!first) y += left >= L ? load(c + v * L) : load_first(c + v * L, left < 0 ? 0 : left);
      if (last && p.bias) y += splat(p.bias[i + r]);
      if (last && p.relu) y = choose(y < splat(0), splat(0), y);
      if (left >= L)
        store(c + v * L, y);
      else if (left > 0)
        store_first(c + v * L, left, y);
    }
}

template <int R>
INLINE void tiles_product(const Product& p, int i, int k, const float* a, int64_t a_row, int64_t a_col, int panel,
                          int end, const float* b) {
  b += (int64_t)k * PANEL;
  for (; panel < end; panel++, b += (int64_t)p.k * PANEL) {
    const int64_t first = (int64_t)panel * PANEL;
    const int count = p.n - first < PANEL ? p.n - first : PANEL;
    float* c = p.c + i * p.c_row + first;
    if (count > L)
      tile_product<R, 2>(p, i, k, a, a_row, a_col, b, c, count);
    else
      tile_product<R, 1>(p, i, k, a, a_row, a_col, b, c, count);
  }
}

// R rows of C in some panels. A transposed A has a far step from one k to the next: for many panels it is copied
// together.
template <int R>
void rows_product(const Product& p, int i, int panel, int end, const float* b) {
  int k = 0;
  do {  // at least once: without products C is the bias
    const float* a = p.a + i * p.a_row + k * p.a_col;
    int64_t a_col = p.a_col;
    float packed[DEPTH * R];
    if (p.a_row == 1 && end - panel >= 4) {
      const int depth = p.k - k < DEPTH ? p.k - k : DEPTH;
      for (int l = 0; l < depth; l++)
        for (int r = 0; r < R; r++) packed[l * R + r] = a[l * p.a_col + r];
      a = packed, a_col = R;
    }
    tiles_product<R>(p, i, k, a, p.a_row, a_col, panel, end, b);
  } while ((k += DEPTH) < p.k);
}

// Of an odd number of rows above four, the last is taken alone: half the code, and such products are rare.
template <int R>
void some_rows_product(int rows, const Product& p, int i, int panel, int end, const float* b) {
  if (rows >= R) {
    rows_product<R>(p, i, panel, end, b);
    rows -= R, i += R;
  }
  if constexpr (R > 1)
    if (rows) some_rows_product<R - (R > 4 ? 2 : 1)>(rows, p, i, panel, end, b);
}

// K products to a sum, as in the weight gradient of a few images: a row of C is written from one end to the other, as
// memory likes it best.
template <int K>
INLINE void thin_row(const Product& p, int i, int panel, int end, const float* b) {
  Vec a[K];
  for (int k = 0; k < K; k++) a[k] = splat(p.a[i * p.a_row + k * p.a_col]);
  float* c = p.c + i * p.c_row;
  const int to = p.n < end * PANEL ? p.n : end * PANEL;
  for (int j = panel * PANEL; j < to; j += L) {
    Vec y = (Vec){};
    for (int k = 0; k < K; k++) y += a[k] * load(b + k * PANEL);
    j + L <= to ? store(c + j, y) : store_first(c + j, to - j, y);
    b += (j / L + 1) % 2 ? L : (int64_t)K * PANEL - L;  // half a panel on
  }
}

template <int K>
void thin_rows(const Product& p, const ProductUnit& u, int to, const float* b) {
  if (p.k > K) {
    if constexpr (K < THIN) thin_rows<K + 1>(p, u, to, b);
    return;
  }
  for (int i = u.tile * ROWS; i < to; i++) thin_row<K>(p, i, u.panel, u.panel_end, b);
}

// Few rows ------------------------------------------------------------------------------------------------------------
//
// With a batch of a few images, M is small and B, the weight, is read once: packing it would cost more than the
// product. Where the columns of B are contiguous, results are dot products; where its rows are, they are sums of rows.

// Row i, columns j to j + count.
APART void finish_few(const Product& p, int i, int j, int count, const float* sums) {
  float* c = p.c + i * p.c_row;
  for (const int end = j + count; j < end; j++) {
    float y = *sums++;
    if (p.bias) y += p.bias[p.bias_columns ? j : i];
    if (p.relu) y = y < 0 ? 0 : y;
    c[j * p.c_col] = y;
  }
}

// R columns of C: dot products between the packed rows of A and R columns of B.
template <int M, int R>
INLINE void dots(const Product& p, int j, const float* a) {
  Vec sums[R][M];
  for (int r = 0; r < R; r++)
    for (int i = 0; i < M; i++) sums[r][i] = (Vec){};
  const float* b = p.b + j * p.b_col;
  int k = 0;
  for (; k + L <= p.k; k += L)
    for (int r = 0; r < R; r++) {
      Vec w = load(b + r * p.b_col + k);
      for (int i = 0; i < M; i++) sums[r][i] += w * load(a + i * p.k + k);
    }
  for (int i = 0; i < M; i++) {
    float y[R];
    for (int r = 0; r < R; r++) {
      float rest = 0;
      for (int l = k; l < p.k; l++) rest += b[r * p.b_col + l] * a[i * p.k + l];
      y[r] = sum(sums[r][i]) + rest;
    }
    finish_few(p, i, j, R, y);
  }
}

// V vectors of columns as sums of rows of B.
template <int M, int V>
INLINE void row_sums(const Product& p, int j, int count, const float* a) {
  Vec sums[M][V];
  for (int i = 0; i < M; i++)
    for (int v = 0; v < V; v++) sums[i][v] = (Vec){};
  const float* b = p.b + j;
  for (int k = 0; k < p.k; k++, b += p.b_row) {
    Vec line[V];
    for (int v = 0; v < V; v++) line[v] = count == V * L ? load(b + v * L) : load_first(b, count);
    for (int i = 0; i < M; i++) {
      Vec f = splat(a[i * p.k + k]);
      for (int v = 0; v < V; v++) sums[i][v] += f * line[v];
    }
  }
  for (int i = 0; i < M; i++) {
    float y[V * L];
    for (int v = 0; v < V; v++) store(y + v * L, sums[i][v]);
    finish_few(p, i, j, count, y);
  }
}

template <int M>
void few_rows(const Product& p, int from, int to, const float* a) {
  int j = from;
  if (p.b_row == 1) {
    constexpr int R = M <= 2 ? 4 : M <= 4 && MANY_REGISTERS ? 4 : 2;
    for (; j + R <= to; j += R) dots<M, R>(p, j, a);
    for (; j < to; j++) dots<M, 1>(p, j, a);
    return;
  }
  constexpr int V = MANY_REGISTERS ? (M <= 3 ? 8 : M <= 6 ? 4 : 2) : (M <= 1 ? 8 : M <= 3 ? 4 : M <= 6 ? 2 : 1);
  for (; j + V * L <= to; j += V * L) row_sums<M, V>(p, j, V * L, a);
  for (; j < to; j += L) row_sums<M, 1>(p, j, to - j < L ? to - j : L, a);
}

template <int M>
void some_few_rows(const Product& p, int from, int to, const float* a) {
  if (p.m == M) return few_rows<M>(p, from, to, a);
  if constexpr (M > 1) some_few_rows<M - 1>(p, from, to, a);
}

// Units ---------------------------------------------------------------------------------------------------------------

void product_pack(const Product& p, const ProductUnit& u, float* packed) {
  if (p.few) {  // A, which is small
    for (int i = 0; i < p.m; i++)
      for (int k = 0; k < p.k; k++) *packed++ = p.a[i * p.a_row + k * p.a_col];
    return;
  }
  for (int panel = u.panel; panel < u.panel_end; panel++, packed += (int64_t)p.k * PANEL) pack_panel(p, panel, packed);
}

void product_unit(const Product& p, const ProductUnit& u, const float* packed) {
  if (p.few)
    return some_few_rows<FEW - 1>(p, u.panel * PANEL, p.n < u.panel_end * PANEL ? p.n : u.panel_end * PANEL, packed);
  if (p.k > 0 && p.k <= THIN && !p.bias && !p.relu && !p.add)
    return thin_rows<1>(p, u, p.m < u.tile_end * ROWS ? p.m : u.tile_end * ROWS, packed);
  for (int tile = u.tile; tile < u.tile_end; tile++) {
    const int i = tile * ROWS;
    some_rows_product<ROWS>(p.m - i < ROWS ? p.m - i : ROWS, p, i, u.panel, u.panel_end, packed);
  }
}

}  // namespace
