// Convolutions of groups of few channels where these are the fastest axis, (N, H, W, C), each lane a channel: depthwise
// ones, groups of 2 to 8 channels, whose sources are lanes of the same vector, and groups of 4 to 32 that fill vectors,
// in which all lanes have the same source.
//
//     y[place][o] = bias[o] + sum over taps and the group's channels c of weight[tap][c][o] * x[place of tap][group + c]
//     weight: d_weight[tap][c][o] = sum over the places of grad[place][o] * x[place of tap][group + c]
//
// Places and taps are those of window.h, of images (N, H, W, C) in place of its (C, H, W, N). References: conv.py.
#pragma once

#include "sixteen.h"
#include "window.h"

namespace {

// How lanes find their sources: each in itself, in its vector, or all of a vector in one number.
enum Sources { ITSELF, NEAR, ONE };

INLINE Sources sources_of(int size) { return size == 1 ? ITSELF : size % L ? NEAR : ONE; }

// Lanes of the `which`th channel of their group of `size`, a power of two.
struct GroupLanes {
  int size;
#if LENET_LANES >= 8
  Mask first;  // lane of each group

  INLINE explicit GroupLanes(int given) : size(given) {
    Mask lane;
    for (int l = 0; l < L; l++) lane[l] = l;
    first = lane & splat_int(-size);
  }
#else
  INLINE explicit GroupLanes(int given) : size(given) {}
#endif

  INLINE Wide of(Wide x, int which) const {
    if (size == 1) return x;
#if LENET_LANES >= 8
    const Mask from = first + splat_int(which);
    EACH x.v[j] = __builtin_shuffle(x.v[j], from);
    return x;
#else
    float lanes[SIXTEEN], chosen[SIXTEEN];
    store_wide(Full(), lanes, x);
    for (int l = 0; l < SIXTEEN; l++) chosen[l] = lanes[l / size * size + which];
    return load_wide(Full(), chosen);
#endif
  }
};

// The sources of lanes from `at` on, where groups fill vectors: all of a vector have the same.
struct OneSource {
  int64_t first[Wide::count];

  INLINE OneSource(int size, Full, int64_t at) { EACH first[j] = (at + j * L) & -size; }
  INLINE OneSource(int size, Part part, int64_t at) { EACH first[j] = (at + (j * L < part.count ? j * L : 0)) & -size; }

  // sum += w times the source of each lane; `place` holds the first one's.
  INLINE void add(Wide& sum, const Wide& w, const float* place) const { EACH sum.v[j] += w.v[j] * splat(place[first[j]]); }
};

// body(lanes, at) for all vectors of a place.
template <class Body>
INLINE void each_vector_of(int64_t lanes, Body body) {
  int64_t at = 0;
  for (; at + SIXTEEN <= lanes; at += SIXTEEN) body(Full(), at);
  if (at < lanes) body(Part{(int)(lanes - at)}, at);
}

// The taps that a run's places gather.
INLINE int taps_of(const Windows& a, const Reach& row, const Reach& column, Tap* taps) {
  const int64_t line = (int64_t)a.columns.source * a.n;
  int number = 0;
  for (int i = 0; i < row.count; i++)
    for (int j = 0; j < column.count; j++)
      taps[number++] = {
          (row.place + i * a.rows.place_step) * line + (int64_t)(column.place + j * a.columns.place_step) * a.n,
          (row.tap + i * a.rows.tap_step) * a.taps_across + column.tap + j * a.columns.tap_step};
  return number;
}

// Q neighbouring places of a run.
template <int Q, Sources KIND, class Lanes>
INLINE void lane_places(const Windows& a, const Tap* taps, int number, const float* x, float* y, Lanes lanes, int64_t at) {
  const int64_t from = (int64_t)a.columns.source_step * a.n, to = (int64_t)a.columns.step * a.n;
  const GroupLanes group(KIND == ITSELF ? 1 : a.sources);
  Wide sums[Q];
  for (int q = 0; q < Q; q++) sums[q] = a.bias ? load_wide(lanes, a.bias + at) : wide(0);
  for (int t = 0; t < number; t++) {
    const float* weight = a.weight + (int64_t)taps[t].tap * group.size * a.n + at;
    const float* place = x + taps[t].source;
    if constexpr (KIND == ONE) {
      const OneSource one(a.sources, lanes, at);
      for (int c = 0; c < a.sources; c++) {
        const Wide w = load_wide(lanes, weight + c * a.n);
        for (int q = 0; q < Q; q++) one.add(sums[q], w, place + q * from + c);
      }
    } else {
      Wide v[Q];
      for (int q = 0; q < Q; q++) v[q] = load_wide(lanes, place + q * from + at);
      for (int c = 0; c < group.size; c++) {
        const Wide w = load_wide(lanes, weight + c * a.n);
        for (int q = 0; q < Q; q++) sums[q] = sums[q] + w * group.of(v[q], c);
      }
    }
  }
  for (int q = 0; q < Q; q++) store_wide(lanes, y + q * to + at, sums[q]);
}

template <Sources KIND>
INLINE void lane_row(const Windows& a, int index) {
  const Reach row = a.reach[index % a.rows.size];
  const float* x = a.x + index / a.rows.size * plane(a);
  const int64_t from = (int64_t)a.columns.source_step * a.n, to = (int64_t)a.columns.step * a.n;
  Tap taps[MOST_TAPS];
  for (const Run* run = a.runs; run < a.runs_end; run++) {
    const int number = taps_of(a, row, run->reach, taps);
    float* y = a.y + ((int64_t)index * a.columns.size + run->first) * a.n;
    auto places = [&](int q, auto lanes, int64_t at) __attribute__((always_inline)) {
      if (q + 4 <= run->number)
        lane_places<4, KIND>(a, taps, number, x + q * from, y + q * to, lanes, at);
      else
        lane_places<1, KIND>(a, taps, number, x + q * from, y + q * to, lanes, at);
      return run->number - q < 4 ? 1 : 4;
    };
    if constexpr (KIND == ONE)  // the weights of sixteen lanes stay in the cache
      each_vector_of(a.n, [&](auto lanes, int64_t at) {
        for (int q = 0; q < run->number;) q += places(q, lanes, at);
      });
    else  // pixels are read through all their channels
      for (int q = 0; q < run->number; q += run->number - q < 4 ? 1 : 4)
        each_vector_of(a.n, [&](auto lanes, int64_t at) { places(q, lanes, at); });
  }
}

// Row `index` of y, of all images together.
void lane_sums(const Windows& windows, int index) {
  const Windows a = windows;
  switch (sources_of(a.sources)) {
    case ITSELF: return lane_row<ITSELF>(a, index);
    case NEAR: return lane_row<NEAR>(a, index);
    case ONE: return lane_row<ONE>(a, index);
  }
}

// Adds to the sums of T taps what a run's places give.
template <int T, class Lanes>
INLINE void lane_products(const Windows& a, const Run& run, const Tap* taps, int which, const float* x, const float* grad,
                          Lanes lanes, Wide* sums) {
  const int64_t from = (int64_t)a.columns.source_step * a.n, to = (int64_t)a.columns.step * a.n;
  const GroupLanes group(a.sources);
  Wide own[T];
  for (int t = 0; t < T; t++) own[t] = sums[taps[t].tap];
  for (int q = 0; q < run.number; q++) {
    const Wide g = load_wide(lanes, grad + q * to);
    for (int t = 0; t < T; t++) own[t] = own[t] + g * group.of(load_wide(lanes, x + taps[t].source + q * from), which);
  }
  for (int t = 0; t < T; t++) sums[taps[t].tap] = own[t];
}

// Adds to sums (taps, 16) what images `first` to `last` give, of lanes from `at` on and the `which`th channel of groups.
template <class Lanes>
INLINE void lane_images(const Windows& a, int first, int last, int which, int64_t at, Lanes lanes, double* totals) {
  constexpr int MANY = 512;  // terms of a sum in floats
  const int all = a.taps;
  Wide sums[MOST_TAPS];
  Tap taps[MOST_TAPS];
  int terms = 0;
  for (int t = 0; t < all; t++) sums[t] = wide(0);
  for (int index = first * a.rows.size; index < last * a.rows.size; index++) {
    const Reach row = a.reach[index % a.rows.size];
    const float* x = a.x + index / a.rows.size * plane(a) + at;
    for (const Run* run = a.runs; run < a.runs_end; run++) {
      const int number = taps_of(a, row, run->reach, taps);
      const float* grad = a.y + ((int64_t)index * a.columns.size + run->first) * a.n + at;
      int t = 0;
      for (; t + 3 <= number; t += 3) lane_products<3>(a, *run, taps + t, which, x, grad, lanes, sums);
      for (; t < number; t++) lane_products<1>(a, *run, taps + t, which, x, grad, lanes, sums);
    }
    terms += a.columns.size;
    if (terms < MANY && index + 1 < last * a.rows.size) continue;
    terms = 0;
    for (int t = 0; t < all; t++) add_lanes(sums[t], totals + t * SIXTEEN, SIXTEEN), sums[t] = wide(0);
  }
}

void lane_gradient(const Windows& windows, int first, int last, int which, int at, double* totals) {
  const Windows a = windows;
  if (at + SIXTEEN <= a.n)
    lane_images(a, first, last, which, at, Full(), totals);
  else
    lane_images(a, first, last, which, at, Part{a.n - at}, totals);
}

}  // namespace
