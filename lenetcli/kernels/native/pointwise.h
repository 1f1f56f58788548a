// Relu and log-softmax where the batch is the fastest axis. Reference twins: lenetcli/kernels/selection.py, softmax.py.
#pragma once

#include <math.h>

#include "elementary.h"
#include "kernels.h"

namespace {

// y = max(x, 0), NaN and -0 stay.
void relu(const float* x, float* y, size_t n) {
  size_t i = 0;
  for (; i + L <= n; i += L) {
    Vec v = load(x + i);
    store(y + i, choose(v < splat(0), splat(0), v));
  }
  for (; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

// d_x = grad where y is not <= 0, else 0.
void relu_backward(const float* grad, const float* y, float* d_x, size_t n) {
  size_t i = 0;
  for (; i + L <= n; i += L) store(d_x + i, choose(load(y + i) <= splat(0), splat(0), load(grad + i)));
  for (; i < n; i++) d_x[i] = y[i] <= 0 ? 0 : grad[i];
}

// Whether there is neither NaN nor infinity.
bool all_finite(const float* x, size_t n) {
  Vec nothing[2] = {};  // 0 times infinity is NaN
  size_t i = 0;
  for (; i + 2 * L <= n; i += 2 * L)
    for (int j = 0; j < 2; j++) nothing[j] += load(x + i + j * L) * splat(0);
  float rest = 0;
  for (; i < n; i++) rest += x[i] * 0;
  return rest == 0 && !any_nan(nothing[0] + nothing[1]);
}

constexpr int64_t PIECE = 32;  // terms that are added one by one in floats, before the sum goes on in double precision

// Rows of `grad` where `y` (or null for all) is not <= 0, copied to d (unless null), and their sums.
void masked_rows(const Rows& a, int from, int to) {
  for (int o = from; o < to; o++) {
    const float *grad = a.grad + o * a.grad_row, *y = a.y ? a.y + o * a.y_row : nullptr;
    float* d = a.d ? a.d + o * a.n : nullptr;
    double total = 0;
    int64_t n = 0;
    if (a.grad_col == 1 && (!y || a.y_col == 1))
      while (n + L <= a.n) {
        Vec piece = {};
        for (int64_t end = n + PIECE * L; n + L <= a.n && n < end; n += L) {
          Vec g = load(grad + n);
          if (y) g = choose(load(y + n) <= splat(0), splat(0), g);
          if (d) store(d + n, g);
          piece += g;
        }
        total += sum(piece);
      }
    float rest = 0;
    for (; n < a.n; n++) {
      float g = grad[n * a.grad_col];
      if (y && y[n * a.y_col] <= 0) g = 0;
      if (d) d[n] = g;
      rest += g;
      if (n % PIECE == PIECE - 1) total += rest, rest = 0;
    }
    if (a.sums) a.sums[o] = total + rest;
  }
}

// Log-softmax ---------------------------------------------------------------------------------------------------------

// The sum of term(c) over the classes, in about as many pieces as a piece has terms.
template <class Term>
INLINE Vec sum_of_classes(int classes, Term term) {
  const int piece = classes > PIECE * PIECE ? (int)sqrtf(classes) : PIECE;
  Vec total = {};
  for (int c = 0; c < classes;) {
    Vec some = {};
    for (const int end = c + piece < classes ? c + piece : classes; c < end; c++) some += term(c);
    total += some;
  }
  return total;
}

// y[c] = x[c] - max - log(sum of e^(x - max)), images `from` to `from + count`, classes `row` floats apart.
void log_softmax(const Classes& a, int from, int count) {
  auto get = [&](int c) {
    return count == L ? load(a.x + c * a.row + from) : load_first(a.x + c * a.row + from, count);
  };
  Vec most = get(0);
  for (int c = 1; c < a.classes; c++) {
    Vec v = get(c);
    most = choose((v > most) | (v != v), v, most);
  }
  const Vec total = sum_of_classes(a.classes, [&](int c) { return exponential(get(c) - most); });
  float lanes[L];
  store(lanes, total);
  for (int l = 0; l < count; l++) lanes[l] = logf(lanes[l]);
  Vec less = load(lanes);
  for (int c = 0; c < a.classes; c++) {
    float* to = a.y + c * a.row + from;
    Vec v = get(c) - most - less;
    if (count == L)
      store(to, v);
    else
      store_first(to, count, v);
  }
}

// d_x = grad - e^y sum(grad)
void log_softmax_backward(const Classes& a, int from, int count) {
  auto get = [&](const float* p, int c) {
    return count == L ? load(p + c * a.row + from) : load_first(p + c * a.row + from, count);
  };
  const Vec total = sum_of_classes(a.classes, [&](int c) { return get(a.grad, c); });
  for (int c = 0; c < a.classes; c++) {
    float* to = a.d_x + c * a.row + from;
    Vec v = get(a.grad, c) - exponential(get(a.y, c)) * total;
    if (count == L)
      store(to, v);
    else
      store_first(to, count, v);
  }
}

}  // namespace
