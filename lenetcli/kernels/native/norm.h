// Normalisation: batch norm, and those of each sample (group, instance, layer, RMS norm), with relu where it follows.
//
//     y = (x - mean) / sqrt(var + eps) * weight + bias
//     d_x = (w grad - mean(w grad) - z mean(w grad z)) / s, z = (x - mean) / s, s = sqrt(var + eps)
//
// Values that are normalised together come in pieces: rows of lanes, where a lane has moments of its own ("columns"),
// or one run. A piece knows no more than its sums and the numbers that its elements are multiplied and shifted by;
// which pieces share their moments is said in bind_norm.cc. Sums are taken of differences from a value near the mean,
// in sixteen lanes and pieces short enough for floats, then in double precision. Reference: lenetcli/kernels/norm.py.
#pragma once

#include "kernels.h"
#include "sixteen.h"

namespace {

constexpr int SHORT = 64;  // floats that are added up one by one
constexpr int FEW_ROWS = 4, STRETCH = 32;  // rows that are read side by side, at least; times sixteen lanes, at most

// The numbers of sixteen lanes, of columns or (all alike) of a run.
struct Lane {
  Wide centre, factor, shift, down, up;

  template <class Lanes>
  INLINE Lane(const NormPiece& a, Lanes lanes, int64_t at) {
    auto get = [&](const float* p) { return !p ? wide(0) : a.columns ? load_wide(lanes, p + at) : wide(*p); };
    centre = get(a.centre), factor = get(a.factor), shift = get(a.shift), down = get(a.down), up = get(a.up);
  }
};

// A gradient where relu(y) let y through.
INLINE Wide through(Wide grad, Wide y) {
  EACH grad.v[j] = choose(y.v[j] <= splat(0), splat(0), grad.v[j]);
  return grad;
}

struct Values {  // of one vector
  Wide x, g, weight;
};

// x and grad at sixteen lanes; grad is what arrives at the normalised values.
template <class Lanes>
INLINE Values values(const NormPiece& a, const Lane& c, Lanes lanes, int64_t at, int64_t row) {
  Values v;
  v.x = load_wide(lanes, a.x + at) - c.centre;
  v.weight = !a.weight ? wide(1) : a.columns ? wide(a.weight[row]) : load_wide(lanes, a.weight + at);
  if (a.grad) {
    v.g = load_wide(lanes, a.grad + at);
    if (a.relu) v.g = through(v.g, v.x * c.factor + c.shift);
    if (a.weight) v.g = v.g * v.weight;
  }
  return v;
}

// Sums of x and x^2, or of g and g x.
template <class Lanes>
INLINE void add(const NormPiece& a, const Lane& c, Lanes lanes, int64_t at, int64_t row, Wide& first, Wide& second) {
  const Values v = values(a, c, lanes, at, row);
  const Wide one = a.grad ? v.g : v.x;
  first = first + one;
  second = second + one * v.x;
}

// Calls body(lanes, count, at) for all vectors of a row or run.
template <class Body>
INLINE void each_wide(int64_t lanes, Body body) {
  int64_t at = 0;
  for (; at + SIXTEEN <= lanes; at += SIXTEEN) body(Full(), SIXTEEN, at);
  if (at < lanes) body(Part{(int)(lanes - at)}, (int)(lanes - at), at);
}

// Rows are read from one end to the other, a few at a time, as memory likes it best; sums of a stretch of lanes stay in
// the cache.
template <class Lanes>
INLINE void few_row_sums(const NormPiece& a, Lanes lanes, int64_t at, int64_t row, int64_t end, Wide* first, Wide* second) {
  const Lane c(a, lanes, at);
  Wide one[2] = {first[0], first[1]}, two[2] = {second[0], second[1]};
  for (; row + 2 <= end; row += 2)
    for (int u = 0; u < 2; u++) add(a, c, lanes, at + (row + u) * a.lanes, row + u, one[u], two[u]);
  if (row < end) add(a, c, lanes, at + row * a.lanes, row, one[0], two[0]);
  for (int u = 0; u < 2; u++) first[u] = one[u], second[u] = two[u];
}

// Of short rows, as many more; a power of two up to SHORT, so that sums have the same order.
INLINE int64_t rows_at_once(const NormPiece& a) {
  int64_t rows = FEW_ROWS;
  while (rows < SHORT && 2 * rows * a.lanes <= STRETCH * SIXTEEN) rows *= 2;
  return rows;
}

INLINE void column_sums(const NormPiece& a) {
  const int64_t at_once = rows_at_once(a);
  Wide first[STRETCH][2], second[STRETCH][2];
  for (int64_t l = 0; l < a.lanes; l++) a.sums[l] = a.products[l] = 0;
  for (int64_t from = 0; from < a.lanes; from += STRETCH * SIXTEEN) {
    const int64_t lanes = a.lanes - from < STRETCH * SIXTEEN ? a.lanes - from : STRETCH * SIXTEEN;
    for (int64_t row = 0; row < a.rows;) {
      for (int64_t i = 0; i * SIXTEEN < lanes; i++)
        for (int u = 0; u < 2; u++) first[i][u] = second[i][u] = wide(0);
      for (const int64_t end = row + SHORT < a.rows ? row + SHORT : a.rows; row < end; row += at_once) {
        const int64_t last = row + at_once < end ? row + at_once : end;
        each_wide(lanes, [&](auto part, int, int64_t at) __attribute__((always_inline)) {
          few_row_sums(a, part, from + at, row, last, first[at / SIXTEEN], second[at / SIXTEEN]);
        });
      }
      for (int64_t i = 0; i * SIXTEEN < lanes; i++) {
        const int64_t at = from + i * SIXTEEN, count = lanes - i * SIXTEEN < SIXTEEN ? lanes - i * SIXTEEN : SIXTEEN;
        add_lanes(first[i][0] + first[i][1], a.sums + at, count);
        add_lanes(second[i][0] + second[i][1], a.products + at, count);
      }
    }
  }
}

// What is left of a run, less than twice sixteen, from lane i on.
APART void rest_sums(NormPiece a, int64_t i, int64_t end, Wide* first, Wide* second) {
  const Lane c(a, Full(), 0);
  for (; end - i >= SIXTEEN; i += SIXTEEN) add(a, c, Full(), i, 0, *first++, *second++);
  if (i == end) return;
  NormPiece rest = a;  // lanes beyond the end are not zero once the centre is taken off
  float x[SIXTEEN], grad[SIXTEEN], weight[SIXTEEN];
  for (int l = 0; l < SIXTEEN; l++) {
    const bool is = l < end - i;
    x[l] = is ? a.x[i + l] : a.centre ? *a.centre : 0, grad[l] = is && a.grad ? a.grad[i + l] : 0;
    weight[l] = is && a.weight ? a.weight[i + l] : 0;
  }
  rest.x = x, rest.grad = a.grad ? grad : nullptr, rest.weight = a.weight ? weight : nullptr;
  add(rest, c, Full(), 0, 0, *first, *second);
}

INLINE void run_sums(const NormPiece& a) {
  const Lane c(a, Full(), 0);
  *a.sums = *a.products = 0;
  for (int64_t i = 0; i < a.lanes;) {
    Wide first[2] = {wide(0), wide(0)}, second[2] = {wide(0), wide(0)};
    const int64_t end = i + SHORT * SIXTEEN < a.lanes ? i + SHORT * SIXTEEN : a.lanes;
    for (; i + 2 * SIXTEEN <= end; i += 2 * SIXTEEN)
      for (int u = 0; u < 2; u++) add(a, c, Full(), i + u * SIXTEEN, 0, first[u], second[u]);
    if (i < end) {
      Wide one[2] = {first[0], first[1]}, two[2] = {second[0], second[1]};
      rest_sums(a, i, end, one, two);
      for (int u = 0; u < 2; u++) first[u] = one[u], second[u] = two[u];
      i = end;
    }
    *a.sums += sum_of_lanes(first[0] + first[1]);
    *a.products += sum_of_lanes(second[0] + second[1]);
  }
}

template <class Lanes>
INLINE void apply(const NormPiece& a, const Lane& c, Lanes lanes, int64_t at, int64_t row) {
  const Values v = values(a, c, lanes, at, row);
  if (a.grad) {
    const Wide own = v.g * c.factor;  // all of it where the moments are constants
    return store_wide(lanes, a.y + at, a.down ? own - v.x * c.down + c.up : own);
  }
  Wide y = v.x * c.factor + c.shift;
  if (a.weight) y = y * v.weight;
  if (a.bias) y = y + (a.columns ? wide(a.bias[row]) : load_wide(lanes, a.bias + at));
  if (a.relu) EACH y.v[j] = choose(y.v[j] < splat(0), splat(0), y.v[j]);
  store_wide(lanes, a.y + at, y);
}

// Fixes what is the same for all elements, so that loops are without questions.
template <class Body>
INLINE void known(const NormPiece& a, Body body) {
  NormPiece piece = a;
#define FIXED(has_grad, has_relu, has_weight)                                                              \
  if ((a.grad != nullptr) == has_grad && a.relu == has_relu && (a.weight != nullptr) == has_weight) {      \
    if (!has_grad) piece.grad = nullptr;                                                                   \
    if (!has_weight) piece.weight = nullptr;                                                               \
    piece.relu = has_relu;                                                                                 \
    return body(piece);                                                                                    \
  }
  FIXED(false, false, false) FIXED(false, true, false) FIXED(false, false, true)
  FIXED(true, false, false) FIXED(true, true, false) FIXED(true, false, true)
#undef FIXED
}

// Run number `number` of several.
INLINE NormPiece run_of(const NormPiece& all, int64_t number) {
  NormPiece a = all;
  const int64_t at = number * a.step;
  a.x += at, a.centre += a.centre ? number : 0, a.factor += number, a.shift += number;
  if (a.grad) a.grad += at;
  if (a.y) a.y += at;
  if (a.down) a.down += number, a.up += number;
  a.sums += number, a.products += number;
  return a;
}

void norm_sums(const NormPiece& all) {
  known(all, [](const NormPiece& a) __attribute__((always_inline)) {
    if (a.columns) return column_sums(a);
    for (int64_t i = 0; i < a.count; i++) run_sums(run_of(a, i));
  });
}

void norm_apply(const NormPiece& all) {
  known(all, [](const NormPiece& a) __attribute__((always_inline)) {
    if (!a.columns) {
      for (int64_t i = 0; i < a.count; i++) {
        const NormPiece run = run_of(a, i);
        const Lane c(run, Full(), 0);
        each_wide(a.lanes, [&](auto lanes, int, int64_t at) __attribute__((always_inline)) {
          apply(run, c, lanes, at, 0);
        });
      }
      return;
    }
    const int64_t at_once = rows_at_once(a);
    for (int64_t first = 0; first < a.rows; first += at_once) {
      const int64_t end = first + at_once < a.rows ? first + at_once : a.rows;
      each_wide(a.lanes, [&](auto lanes, int, int64_t at) __attribute__((always_inline)) {
        const Lane c(a, lanes, at);
        for (int64_t row = first; row < end; row++) apply(a, c, lanes, at + row * a.lanes, row);
      });
    }
  });
}

// Adds to d_weight and d_bias of each element: grad z and grad, z = x factor + shift.
void norm_elements(const NormPiece& all) {
  if (all.columns) {
    const NormPiece& a = all;
    for (int64_t row = 0; row < a.rows; row++) {
      Wide first = wide(0), second = wide(0);
      each_wide(a.lanes, [&](auto lanes, int, int64_t at) {
        const Lane c(a, lanes, at);
        const Wide g = load_wide(lanes, a.grad + at + row * a.lanes);
        const Wide z = (load_wide(lanes, a.x + at + row * a.lanes) - c.centre) * c.factor + c.shift;
        first = first + g, second = second + g * z;
      });
      a.d_bias[row] += sum_of_lanes(first), a.d_weight[row] += sum_of_lanes(second);
    }
    return;
  }
  for (int64_t i = 0; i < all.count; i++) {
    const NormPiece a = run_of(all, i);
    const Lane c(a, Full(), 0);
    each_wide(a.lanes, [&](auto lanes, int, int64_t at) __attribute__((always_inline)) {
      const Wide g = load_wide(lanes, a.grad + at), z = (load_wide(lanes, a.x + at) - c.centre) * c.factor + c.shift;
      store_wide(lanes, a.d_bias + at, load_wide(lanes, a.d_bias + at) + g);
      store_wide(lanes, a.d_weight + at, load_wide(lanes, a.d_weight + at) + g * z);
    });
  }
}

}  // namespace
