// Recurrent layers: all steps of some sequences, of which every step is a product and the gates of each sequence.
// Sequences are shared out among threads, never steps: none waits for another. Reference twins:
// lenetcli/kernels/recurrent.py.
#pragma once

#include <string.h>

#include "elementary.h"
#include "kernels.h"
#include "product.h"
#include "vector.h"

namespace {

// The numbers of a unit, `count` of them from `at` on.
struct Units {
  int at, count;
  INLINE Vec get(const float* p) const { return load_part(p + at, count); }
  INLINE void put(float* p, Vec v) const { store_part(p + at, count, v); }
};

template <class One>
INLINE void each_unit(int units, One one) {
  int u = 0;
  for (; u + L <= units; u += L) one(Units{u, L});
  if (u < units) one(Units{u, units - u});
}

// r, z = sigmoid(gates + hidden), n = tanh(gates + r hidden); y = (1 - z) n + z before
void gru_gates(int H, float* g, const float* v, const float* before, float* y) {
  each_unit(H, [&](Units u) {
    const Vec r = logistic(u.get(g) + u.get(v)), z = logistic(u.get(g + H) + u.get(v + H));
    const Vec n = hyperbolic_tangent(u.get(g + 2 * H) + r * u.get(v + 2 * H));
    u.put(g, r), u.put(g + H, z), u.put(g + 2 * H, n);
    u.put(y, (u.get(before) - n) * z + n);
  });
}

// grad becomes what goes to `before` past the gates.
void gru_gates_backward(int H, float* grad, const float* g, const float* v, const float* before, float* d, float* d_v) {
  const Vec one = splat(1);
  each_unit(H, [&](Units u) {
    const Vec r = u.get(g), z = u.get(g + H), n = u.get(g + 2 * H), d_y = u.get(grad);
    const Vec d_n = d_y * (one - z) * (one - n * n);
    const Vec d_z = d_y * (u.get(before) - n) * z * (one - z);
    const Vec d_r = d_n * u.get(v + 2 * H) * r * (one - r);
    u.put(d, d_r), u.put(d + H, d_z), u.put(d + 2 * H, d_n);
    u.put(d_v, d_r), u.put(d_v + H, d_z), u.put(d_v + 2 * H, d_n * r);
    u.put(grad, d_y * z);
  });
}

// i, f, o = sigmoid(gates), g = tanh(gates); cell = f before + i g, y = o tanh(cell)
void lstm_gates(int H, float* g, const float* before, float* cell, float* y) {
  each_unit(H, [&](Units u) {
    const Vec in = logistic(u.get(g)), kept = logistic(u.get(g + H));
    const Vec fresh = hyperbolic_tangent(u.get(g + 2 * H)), out = logistic(u.get(g + 3 * H));
    const Vec c = kept * u.get(before) + in * fresh;
    u.put(g, in), u.put(g + H, kept), u.put(g + 2 * H, fresh), u.put(g + 3 * H, out);
    u.put(cell, c);
    u.put(y, out * hyperbolic_tangent(c));
  });
}

// d_cell becomes the gradient of `before`.
void lstm_gates_backward(int H, const float* grad, float* d_cell, const float* g, const float* before, const float* cell,
                         float* d) {
  const Vec one = splat(1);
  each_unit(H, [&](Units u) {
    const Vec in = u.get(g), kept = u.get(g + H), fresh = u.get(g + 2 * H), out = u.get(g + 3 * H);
    const Vec shown = hyperbolic_tangent(u.get(cell)), d_y = u.get(grad);
    const Vec d_c = u.get(d_cell) + d_y * out * (one - shown * shown);
    u.put(d, d_c * fresh * in * (one - in));
    u.put(d + H, d_c * u.get(before) * kept * (one - kept));
    u.put(d + 2 * H, d_c * in * (one - fresh * fresh));
    u.put(d + 3 * H, d_y * shown * out * (one - out));
    u.put(d_cell, d_c * kept);
  });
}

// c (rows, n) = a (rows, k) times a matrix in panels, or added to c. A few panels at a time stay in the first-level
// cache.
void panels_product(const float* a, int rows, int k, const float* packed, int n, float* c, bool add) {
  Product p = {};
  p.m = rows, p.n = n, p.k = k, p.a = a, p.a_row = k, p.a_col = 1, p.c = c, p.c_row = n, p.c_col = 1, p.add = add;
  const int panels = (n + PANEL - 1) / PANEL, tiles = (rows + ROWS - 1) / ROWS;
  const int group = 4096 / (PANEL * k) > 1 ? 4096 / (PANEL * k) : 1;
  for (int from = 0; from < panels; from += group) {
    const int end = from + group < panels ? from + group : panels;
    product_unit(p, {0, from, end, 0, tiles}, packed + (int64_t)from * PANEL * k);
  }
}

void copy_rows(const float* from, float* to, int rows, int width) {
  memcpy(to, from, (size_t)rows * width * sizeof(float));
}

// Sequences `first` to `end`, which every step has as far as it has so many.
void walk(const Walk& w, int first, int end) {
  const int H = w.units, R = w.outputs, G = (w.lstm ? 4 : 3) * H;
  float *h = w.h + (int64_t)first * R, *c = w.lstm ? w.c + (int64_t)first * H : nullptr;
  for (int s = 0; s < w.steps; s++) {
    const int rows = (end < w.sizes[s] ? end : w.sizes[s]) - first;
    if (rows <= 0) continue;
    const int64_t at = w.starts[s] + first;
    float *gates = w.gates + at * G, *before = w.before + at * R, *y = w.y + at * R, *out = w.out + at * H;
    copy_rows(h, before, rows, R);
    if (w.lstm) {
      float *cell = w.cell + at * H, *cell_before = w.cell_before + at * H;
      copy_rows(c, cell_before, rows, H);
      panels_product(before, rows, R, w.weight, G, gates, true);
      for (int i = 0; i < rows; i++)
        lstm_gates(H, gates + (int64_t)i * G, cell_before + i * H, cell + i * H, out + i * H);
      copy_rows(cell, c, rows, H);
      if (w.down) panels_product(out, rows, H, w.down, R, y, false);
    } else {
      float* hidden = w.hidden + at * G;  // holds the bias
      panels_product(before, rows, R, w.weight, G, hidden, true);
      for (int i = 0; i < rows; i++)
        gru_gates(H, gates + (int64_t)i * G, hidden + (int64_t)i * G, before + i * H, y + i * H);
    }
    copy_rows(y, h, rows, R);
  }
}

// h and c hold the gradients of the last states, and become those of the first; y that of the results; `scratch` has
// room for `units` numbers of each sequence.
void walk_backward(const Walk& w, int first, int end, float* scratch) {
  const int H = w.units, R = w.outputs, G = (w.lstm ? 4 : 3) * H;
  float *d_h = w.h + (int64_t)first * R, *d_c = w.lstm ? w.c + (int64_t)first * H : nullptr;
  for (int s = w.steps - 1; s >= 0; s--) {
    const int rows = (end < w.sizes[s] ? end : w.sizes[s]) - first;
    if (rows <= 0) continue;
    const int64_t at = w.starts[s] + first;
    float *d_y = w.y + at * R, *gates = w.gates + at * G, *d_gates = w.d_gates + at * G;
    for (int64_t i = 0; i < (int64_t)rows * R; i++) d_y[i] += d_h[i];
    if (w.lstm) {
      float* d_out = d_y;
      if (w.down) panels_product(d_y, rows, R, w.down, H, d_out = scratch, false);
      for (int i = 0; i < rows; i++)
        lstm_gates_backward(H, d_out + i * H, d_c + i * H, gates + (int64_t)i * G, w.cell_before + (at + i) * H,
                            w.cell + (at + i) * H, d_gates + (int64_t)i * G);
      panels_product(d_gates, rows, G, w.weight, R, d_h, false);
    } else {
      float* d_hidden = w.d_hidden + at * G;
      for (int i = 0; i < rows; i++)
        gru_gates_backward(H, d_y + i * H, gates + (int64_t)i * G, w.hidden + (at + i) * G, w.before + (at + i) * H,
                           d_gates + (int64_t)i * G, d_hidden + (int64_t)i * G);
      copy_rows(d_y, d_h, rows, H);
      panels_product(d_hidden, rows, G, w.weight, R, d_h, true);
    }
  }
}

}  // namespace
