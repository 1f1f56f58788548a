// Batch norm, one channel at a time: a row of `count` floats, read two or three times while it is in the cache.
//
//     y = (x - mean) / sqrt(var + eps) * weight + bias
//     d_x = weight / s (grad - mean(grad) - z mean(grad z)), z = (x - mean) / s, s = sqrt(var + eps)
//
// Sums are taken of differences from a value near the mean, in pieces short enough for floats, then in double precision.
// Reference twin: lenetcli/kernels/norm.py.
#pragma once

#include <math.h>

#include "kernels.h"
#include "vector.h"

namespace {

constexpr int64_t SHORT = 256 * L;

// Sum of f(i, v) over a row, where f loads the vector at element i with v(pointer).
template <class Term>
INLINE double row_sum(int64_t count, Term term) {
  auto whole = [](const float* p) { return load(p); };
  double total = 0;
  int64_t i = 0;
  while (i + 4 * L <= count) {
    Vec a = {}, b = {}, c = {}, d = {};
    for (int64_t end = i + SHORT; i + 4 * L <= count && i < end; i += 4 * L) {
      a += term(i, whole);
      b += term(i + L, whole);
      c += term(i + 2 * L, whole);
      d += term(i + 3 * L, whole);
    }
    total += sum((a + b) + (c + d));
  }
  Vec rest = {};
  for (; i + L <= count; i += L) rest += term(i, whole);
  if (i < count) {
    const int left = count - i;
    Vec last = term(i, [left](const float* p) { return load_some(p, 1, left); });
    float lanes[L];
    store(lanes, last);  // lanes beyond the end hold what the term makes of zeros
    for (int l = 0; l < left; l++) total += lanes[l];
  }
  return total + sum(rest);
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
    const float centre = row_sum(a.count, [x](int64_t i, auto at) { return at(x + i); }) / a.count;
    const Vec near = splat(centre);
    const double first = row_sum(a.count, [=](int64_t i, auto at) { return at(x + i) - near; }) / a.count;
    const double second = row_sum(a.count, [=](int64_t i, auto at) { return (at(x + i) - near) * (at(x + i) - near); });
    const double var = second / a.count - first * first;
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
  const double total = row_sum(a.count, [=](int64_t i, auto at) { return at(g + i); });
  const double dot = row_sum(a.count, [=](int64_t i, auto at) { return at(g + i) * (at(x + i) - near); });
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
