// One axis of an array as sums of few places of another: resampling, adaptive means, and their gradients. Reference
// twins: lenetcli/kernels/resize.py, avg_pool.py.
//
//     y[place] = (sum over the place's taps of weight * x[index]) / divisor
#pragma once

#include "kernels.h"
#include "sixteen.h"

namespace {

constexpr int64_t TERMS = 32;  // terms that are added one by one

// The sum of a place's terms, in pieces.
template <class Value, class Term>
INLINE Value sum_of_taps(const Taps& a, int64_t place, Value nothing, Term term) {
  int64_t i = a.starts[place];
  const int64_t end = a.starts[place + 1];
  if (i == end) return nothing;
  Value total = term(i++);  // not 0 + it, because of -0
  for (int64_t piece = i + TERMS < end ? i + TERMS : end; i < piece; i++) total = total + term(i);
  while (i < end) {
    Value some = term(i++);
    for (int64_t piece = i + TERMS < end ? i + TERMS : end; i < piece; i++) some = some + term(i);
    total = total + some;
  }
  return total;
}

// Places `from` to `to` of one of the outer axes' arrays.
void resample(const Taps& a, int64_t outer, int64_t from, int64_t to) {
  const float* x = a.x + outer * a.size * a.inner;
  for (int64_t place = from; place < to; place++) {
    float* y = a.y + (outer * a.out + place) * a.inner;
    const float divisor = a.divisor ? a.divisor[place] : 1;
    if (a.inner == 1) {
      *y = sum_of_taps(a, place, 0.0f, [&](int64_t i) { return a.weight[i] * x[a.index[i]]; }) / divisor;
      continue;
    }
    auto vector = [&](auto lanes, int64_t at) {
      Wide sum = sum_of_taps(a, place, wide(0), [&](int64_t i) __attribute__((always_inline)) {
        return wide(a.weight[i]) * load_wide(lanes, x + a.index[i] * a.inner + at);
      });
      EACH sum.v[j] /= splat(divisor);
      store_wide(lanes, y + at, sum);
    };
    int64_t at = 0;
    for (; at + SIXTEEN <= a.inner; at += SIXTEEN) vector(Full(), at);
    if (at < a.inner) vector(Part{(int)(a.inner - at)}, at);
  }
}

}  // namespace
