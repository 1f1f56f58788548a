// Softmax and its logarithm along any axis: arrays (outer, classes, inner), vectors over what lies beside each other, or
// over the classes where nothing does. Reference twins: lenetcli/kernels/softmax.py.
//
//     y = e^(x - max) / sum, or x - max - log(sum); d_x = y (grad - sum(grad y)), or grad - e^y sum(grad)
#pragma once

#include "elementary.h"
#include "kernels.h"
#include "sixteen.h"

namespace {

INLINE Wide exponential(Wide x) {
  EACH x.v[j] = exponential(x.v[j]);
  return x;
}

INLINE Wide greater(Wide a, Wide b) {  // NaN where one is
  EACH a.v[j] = choose((b.v[j] > a.v[j]) | (b.v[j] != b.v[j]), b.v[j], a.v[j]);
  return a;
}

// `inner` neighbours with classes of their own.
template <class Lanes>
INLINE void softmax_columns(const Softmax& a, const float* x, const float* grad, float* y, Lanes lanes) {
  auto at = [&](const float* p, int64_t c) __attribute__((always_inline)) { return load_wide(lanes, p + c * a.inner); };
  constexpr int64_t SOME = 32;  // terms that are added one by one
  auto sum = [&](auto term) __attribute__((always_inline)) {
    Wide total = wide(0);
    for (int64_t c = 0; c < a.classes;) {
      Wide some = wide(0);
      for (const int64_t end = c + SOME < a.classes ? c + SOME : a.classes; c < end; c++) some = some + term(c);
      total = total + some;
    }
    return total;
  };
  auto put = [&](int64_t c, Wide v) __attribute__((always_inline)) { store_wide(lanes, y + c * a.inner, v); };
  if (grad) {
    const Wide total = sum([&](int64_t c) { return a.log ? at(grad, c) : at(grad, c) * at(x, c); });
    for (int64_t c = 0; c < a.classes; c++)
      put(c, a.log ? at(grad, c) - exponential(at(x, c)) * total : at(x, c) * (at(grad, c) - total));
    return;
  }
  Wide most = at(x, 0);
  for (int64_t c = 1; c < a.classes; c++) most = greater(most, at(x, c));
  Wide total = sum([&](int64_t c) {
    const Wide e = exponential(at(x, c) - most);
    if (!a.log) put(c, e);
    return e;
  });
  EACH total.v[j] = a.log ? logarithm(total.v[j]) : total.v[j];
  for (int64_t c = 0; c < a.classes; c++) {
    Wide v = a.log ? at(x, c) - most - total : at(y, c);
    if (!a.log) EACH v.v[j] /= total.v[j];
    put(c, v);
  }
}

// Classes that are neighbours themselves.
INLINE void softmax_row(const Softmax& a, const float* x, const float* grad, float* y) {
  const int64_t whole = a.classes / SIXTEEN * SIXTEEN;
  const Part rest = {(int)(a.classes - whole)};
  auto each = [&](auto body) __attribute__((always_inline)) {  // body(lanes, from)
    for (int64_t i = 0; i < whole; i += SIXTEEN) body(Full(), i);
    if (rest.count) body(rest, whole);
  };
  Wide total = wide(0);
  if (grad) {
    each([&](auto lanes, int64_t i) __attribute__((always_inline)) {
      const Wide g = load_wide(lanes, grad + i);
      total = total + (a.log ? g : g * load_wide(lanes, x + i));
    });
    const Wide all = wide(sum_of_lanes(total));
    each([&](auto lanes, int64_t i) __attribute__((always_inline)) {
      const Wide g = load_wide(lanes, grad + i), v = load_wide(lanes, x + i);
      store_wide(lanes, y + i, a.log ? g - exponential(v) * all : v * (g - all));
    });
    return;
  }
  float tail[SIXTEEN];  // beyond the end e^x is 0
  for (int l = 0; l < SIXTEEN; l++) tail[l] = l < rest.count ? x[whole + l] : -INFINITY;
  auto value = [&](int64_t i) __attribute__((always_inline)) { return load_wide(Full(), i < whole ? x + i : tail); };
  Wide most = value(0);
  each([&](auto, int64_t i) __attribute__((always_inline)) { most = greater(most, value(i)); });
  float lanes[SIXTEEN];
  store_wide(Full(), lanes, most);
  float top = lanes[0];
  for (int l = 1; l < SIXTEEN; l++) top = lanes[l] > top || lanes[l] != lanes[l] ? lanes[l] : top;
  each([&](auto part, int64_t i) __attribute__((always_inline)) {
    const Wide e = exponential(value(i) - wide(top));
    if (!a.log) store_wide(part, y + i, e);
    total = total + e;
  });
  const float all = sum_of_lanes(total);
  const Wide less = wide(a.log ? logf(all) : 0);
  each([&](auto part, int64_t i) __attribute__((always_inline)) {
    Wide v = a.log ? value(i) - wide(top) - less : load_wide(part, y + i);
    if (!a.log) EACH v.v[j] /= splat(all);
    store_wide(part, y + i, v);
  });
}

void softmax(const Softmax& a, int64_t outer) {
  const int64_t size = a.classes * a.inner;
  const float *x = a.x + outer * size, *grad = a.grad ? a.grad + outer * size : nullptr;
  float* y = a.y + outer * size;
  if (a.inner == 1) return softmax_row(a, x, grad, y);
  int64_t at = 0;
  for (; at + SIXTEEN <= a.inner; at += SIXTEEN) softmax_columns(a, x + at, grad ? grad + at : grad, y + at, Full());
  if (at < a.inner) softmax_columns(a, x + at, grad ? grad + at : grad, y + at, Part{(int)(a.inner - at)});
}

}  // namespace
