// Batch norm, one channel at a time: a row of `count` floats, read two or three times while it is in the cache.
//
//     y = (x - mean) / sqrt(var + eps) * weight + bias
//     d_x = weight / s (grad - mean(grad) - z mean(grad z)), z = (x - mean) / s, s = sqrt(var + eps)
//
// Sums are taken of differences from a value near the mean, in pieces short enough for floats, then in double
// precision. Reference twin: lenetcli/kernels/norm.py.
#pragma once

#include <math.h>

#include "kernels.h"
#include "vector.h"

namespace {

constexpr int64_t SHORT = 256 * L;

// N sums over a row: term(i, at, v) sets v[0] to v[N - 1] for the vector at element i, which it loads by at(pointer).
template <int N, class Term>
INLINE void row_sums(int64_t count, Term term, double (&totals)[N]) {
  constexpr int U = N == 1 ? 4 : 2;  // vectors under way
  auto whole = [](const float* p) { return load(p); };
  for (int n = 0; n < N; n++) totals[n] = 0;
  int64_t i = 0;
  while (i + U * L <= count) {
    Vec sums[U][N] = {};
    for (int64_t end = i + SHORT; i + U * L <= count && i < end; i += U * L)
      for (int u = 0; u < U; u++) {
        Vec v[N];
        term(i + u * L, whole, v);
        for (int n = 0; n < N; n++) sums[u][n] += v[n];
      }
    for (int n = 0; n < N; n++) {
      for (int u = 1; u < U; u++) sums[0][n] += sums[u][n];
      totals[n] += sum(sums[0][n]);
    }
  }
  for (; i < count; i += L) {
    const int left = count - i < L ? count - i : L;
    Vec v[N];
    term(i, [left](const float* p) { return load_some(p, 1, left); }, v);
    float lanes[L];  // those beyond the end hold what the term makes of zeros
    for (int n = 0; n < N; n++) {
      store(lanes, v[n]);
      for (int l = 0; l < left; l++) totals[n] += lanes[l];
    }
  }
}

template <class Value>
INLINE void row_fill(int64_t count, float* to, Value value) {
  int64_t i = 0;
  for (; i + L <= count; i += L) store(to + i, value(i, [](const float* p) { return load(p); }));
  if (i < count) {
    const int left = count - i;
    store_some(to + i, 1, left, value(i, [left](const float* p) { return load_some(p, 1, left); }));
  }
}

void norm_forward(const Norm& a, int c) {
  const float* x = a.x + c * a.count;
  if (!a.given) {
    double sums[1], moments[2];
    row_sums(a.count, [x](int64_t i, auto at, Vec* v) { v[0] = at(x + i); }, sums);
    const float centre = sums[0] / a.count;
    const Vec near = splat(centre);
    row_sums(a.count, [=](int64_t i, auto at, Vec* v) { v[0] = at(x + i) - near, v[1] = v[0] * v[0]; }, moments);
    const double first = moments[0] / a.count, var = moments[1] / a.count - first * first;
    a.centre[c] = centre;
    a.offset[c] = first;
    a.var[c] = var < 0 ? 0 : var;
  }
  const double scale = (a.weight ? a.weight[c] : 1) / sqrt(a.var[c] + a.eps);
  const Vec near = splat(a.centre[c]), factor = splat(scale);
  const Vec shift = splat((a.bias ? a.bias[c] : 0) - a.offset[c] * scale);
  row_fill(a.count, a.y + c * a.count, [=](int64_t i, auto at) { return (at(x + i) - near) * factor + shift; });
}

void norm_backward(const Norm& a, int c) {
  const float *x = a.x + c * a.count, *g = a.grad + c * a.count;
  const Vec near = splat(a.centre[c]);
  double sums[2];
  row_sums(a.count, [=](int64_t i, auto at, Vec* v) { v[0] = at(g + i), v[1] = v[0] * (at(x + i) - near); }, sums);
  const double total = sums[0], dot = sums[1];
  const double inverse = 1 / sqrt(a.var[c] + a.eps), scale = inverse * (a.weight ? a.weight[c] : 1);
  const double d_weight = (dot - a.offset[c] * total) * inverse;
  a.d_weight[c] = d_weight;
  a.d_bias[c] = total;
  if (a.given) {
    row_fill(a.count, a.y + c * a.count, [=](int64_t i, auto at) { return at(g + i) * splat(scale); });
    return;
  }
  const double slope = scale * inverse * d_weight / a.count;
  const Vec factor = splat(scale), down = splat(slope), shift = splat(slope * a.offset[c] - scale * total / a.count);
  row_fill(a.count, a.y + c * a.count,
           [=](int64_t i, auto at) { return at(g + i) * factor - (at(x + i) - near) * down + shift; });
}

}  // namespace
