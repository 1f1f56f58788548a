// The gates of recurrent layers: one step, one sequence after the other. Reference twins: lenetcli/kernels/recurrent.py.
#pragma once

#include "elementary.h"
#include "kernels.h"
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
void gru_gates(const Gates& a, int row) {
  const int H = a.units;
  float* g = a.gates + (int64_t)row * 3 * H;
  const float* v = a.hidden + (int64_t)row * 3 * H;
  const float* before = a.before + (int64_t)row * H;
  float* y = a.y + (int64_t)row * H;
  each_unit(H, [&](Units u) {
    const Vec r = logistic(u.get(g) + u.get(v)), z = logistic(u.get(g + H) + u.get(v + H));
    const Vec n = hyperbolic_tangent(u.get(g + 2 * H) + r * u.get(v + 2 * H));
    u.put(g, r), u.put(g + H, z), u.put(g + 2 * H, n);
    u.put(y, (u.get(before) - n) * z + n);
  });
}

void gru_gates_backward(const Gates& a, int row) {
  const int H = a.units;
  const float *g = a.gates + (int64_t)row * 3 * H, *v = a.hidden + (int64_t)row * 3 * H;
  const float* before = a.before + (int64_t)row * H;
  float *grad = a.grad + (int64_t)row * H, *d = a.d_gates + (int64_t)row * 3 * H;
  float* d_v = a.d_hidden + (int64_t)row * 3 * H;
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

// i, f, o = sigmoid(gates + hidden), g = tanh(gates + hidden); cell = f before + i g, y = o tanh(cell)
void lstm_gates(const Gates& a, int row) {
  const int H = a.units;
  float* g = a.gates + (int64_t)row * 4 * H;
  const float* v = a.hidden + (int64_t)row * 4 * H;
  const float* before = a.before + (int64_t)row * H;
  float *cell = a.cell + (int64_t)row * H, *y = a.y + (int64_t)row * H;
  each_unit(H, [&](Units u) {
    const Vec in = logistic(u.get(g) + u.get(v)), kept = logistic(u.get(g + H) + u.get(v + H));
    const Vec fresh = hyperbolic_tangent(u.get(g + 2 * H) + u.get(v + 2 * H)), out = logistic(u.get(g + 3 * H) + u.get(v + 3 * H));
    const Vec c = kept * u.get(before) + in * fresh;
    u.put(g, in), u.put(g + H, kept), u.put(g + 2 * H, fresh), u.put(g + 3 * H, out);
    u.put(cell, c);
    u.put(y, out * hyperbolic_tangent(c));
  });
}

void lstm_gates_backward(const Gates& a, int row) {
  const int H = a.units;
  const float* g = a.gates + (int64_t)row * 4 * H;
  const float *before = a.before + (int64_t)row * H, *grad = a.grad + (int64_t)row * H;
  const float* cell = a.cell + (int64_t)row * H;
  float *d_cell = a.d_cell + (int64_t)row * H, *d = a.d_gates + (int64_t)row * 4 * H;
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

}  // namespace
