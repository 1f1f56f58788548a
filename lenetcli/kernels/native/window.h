// Sliding windows where the batch is the fastest axis, any size, stride, padding and dilation: max and average pooling,
// convolutions of few channels a group, and their gradients.
//
// All of them gather: a place of the result goes over the taps of the kernel that tell it something, and over the
// places these come from. Forward, that are the pixels of an output's window; backward, the outputs whose windows hold
// a pixel. Which they are along one axis, `Reach` says for each place; what is padding is not among them.
//
//     max:  y = the first greatest x of all taps (of NaNs the last), winner = its tap;
//           d_x = sum of grad where winner = tap
//     sums: y = bias + sum over source channels and taps of weight * x, or of x alone, divided
//     weight: d_weight[tap] = sum over the places of grad * x
//
// Places that reach equally far are a run (backward, every stride-th place): with stride 1 vectors go over all of it,
// else over the images of one place. Reference twins: lenetcli/kernels/pool.py, average.py, conv.py.
#pragma once

#include <math.h>

#include "kernels.h"
#include "vector.h"

namespace {

// The same body runs for L neighbours, for four, for four apart, and for one alone: the first argument says which.
typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourMask __attribute__((vector_size(16)));
typedef uint8_t FourBytes __attribute__((vector_size(4)));
struct Whole {};
struct Quarter {};
struct Single {};
struct Apart {  // four, as many floats apart in the source and in the result
  int64_t from, to;
};

INLINE Vec at(Whole, const float* p) { return load(p); }
INLINE Mask at(Whole, const uint8_t* p) { return load_bytes(p); }
INLINE Vec all(Whole, float f) { return splat(f); }
INLINE Mask all(Whole, int32_t i) { return splat_int(i); }
INLINE void put(Whole, float* p, Vec v) { store(p, v); }
INLINE void put(Whole, uint8_t* p, Mask m) { store_bytes(p, m); }

template <class Lanes>
INLINE Four all(Lanes, float f) {
  return (Four){f, f, f, f};
}
template <class Lanes>
INLINE FourMask all(Lanes, int32_t i) {
  return (FourMask){i, i, i, i};
}

INLINE Four at(Quarter, const float* p) {
  Four v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE FourMask at(Quarter, const uint8_t* p) {
  FourBytes v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, FourMask);
}
INLINE void put(Quarter, float* p, Four v) { memcpy(p, &v, sizeof v); }
INLINE void put(Quarter, uint8_t* p, FourMask m) {
  const FourBytes v = __builtin_convertvector(m, FourBytes);
  memcpy(p, &v, sizeof v);
}

INLINE Four at(Single, const float* p) { return (Four){*p}; }
INLINE FourMask at(Single, const uint8_t* p) { return (FourMask){*p}; }
INLINE void put(Single, float* p, Four v) { *p = v[0]; }
INLINE void put(Single, uint8_t* p, FourMask m) { *p = m[0]; }

INLINE Four at(Apart a, const float* p) { return (Four){p[0], p[a.from], p[2 * a.from], p[3 * a.from]}; }
INLINE FourMask at(Apart a, const uint8_t* p) { return (FourMask){p[0], p[a.from], p[2 * a.from], p[3 * a.from]}; }
template <class T, class V>
INLINE void put(Apart a, T* p, V v) {
  p[0] = v[0], p[a.to] = v[1], p[2 * a.to] = v[2], p[3 * a.to] = v[3];
}

INLINE Apart in_result(Apart a) { return {a.to, a.to}; }
template <class Lanes>
INLINE Lanes in_result(Lanes lanes) {
  return lanes;
}

struct Tap {
  int64_t source;  // where it finds what it tells, in floats from the channel's begin
  int tap;
};

template <int T>
struct Few {  // taps, held in registers
  static constexpr bool few = true;
  static constexpr int count = T;
  Tap tap[T];

  INLINE explicit Few(const Tap* from) { memcpy(tap, from, sizeof tap); }
};

struct Many {
  static constexpr bool few = false;
  int count;
  const Tap* tap;
};

// body(taps, run) for each run of a row.
template <class Body>
INLINE void each_run(const Windows& a, const Reach& row, Body body) {
  const int64_t line = (int64_t)a.columns.source * a.n;
  Tap taps[MOST_TAPS];
  for (const Run* run = a.runs; run < a.runs_end; run++) {
    const Reach& column = run->reach;
    int number = 0;
    for (int i = 0; i < row.count; i++)
      for (int j = 0; j < column.count; j++)
        taps[number++] = {
            (row.place + i * a.rows.place_step) * line + (int64_t)(column.place + j * a.columns.place_step) * a.n,
            (row.tap + i * a.rows.tap_step) * a.taps_across + column.tap + j * a.columns.tap_step};
    switch (number) {
      case 1: body(Few<1>(taps), *run); break;
      case 3: body(Few<3>(taps), *run); break;
      case 4: body(Few<4>(taps), *run); break;
      case 6: body(Few<6>(taps), *run); break;
      case 9: body(Few<9>(taps), *run); break;
      default: body(Many{number, taps}, *run);
    }
  }
}

// body(lanes, from, to) for all images of all places of a run: offsets of the first in source and result. Unless ONCE,
// some are done twice. The body stands here once for each kind of lanes: its code is most of this file's.
template <bool ONCE = false, class Body>
INLINE void each_lane(const Windows& a, int number, Body body) {
  const int64_t n = a.n, to_step = a.columns.step * n, from_step = a.columns.source_step * n;
  const bool together = to_step == from_step;
  const int64_t count = together ? number * n : n;
  auto neighbours = [&](auto lanes, int width, int64_t i, int64_t from, int64_t to) __attribute__((always_inline)) {
    const int64_t last = count - width;
    if constexpr (ONCE) {
      for (; i <= last; i += width) body(lanes, from + i, to + i);
    } else if (i <= last) {
      for (;; i = i + width < last ? i + width : last) {
        body(lanes, from + i, to + i);
        if (i == last) break;
      }
      i = count;
    }
    return i;
  };
  int q = 0;
  if (!together && n < 4)
    for (; q + 4 <= number; q += 4)
      for (int i = 0; i < n; i++) body(Apart{from_step, to_step}, q * from_step + i, q * to_step + i);
  for (const int end = together ? 1 : number; q < end; q++) {
    const int64_t from = q * from_step, to = q * to_step;
    const int64_t whole = neighbours(Whole(), L, 0, from, to);
    if (whole < count) neighbours(Single(), 1, neighbours(Quarter(), 4, whole, from, to), from, to);
  }
}

INLINE int64_t plane(const Windows& a) { return (int64_t)a.rows.source * a.columns.source * a.n; }

// Row `index` of the results of all channels together.
void max_pool(const Windows& windows, int index) {
  const Windows a = windows;  // known to stay as it is while results are written
  const Reach row = a.reach[index % a.rows.size];
  const float* x = a.x + index / a.rows.size * plane(a);
  each_run(a, row, [&](auto taps, const Run& run) __attribute__((always_inline)) {
    const int64_t out = ((int64_t)index * a.columns.size + run.first) * a.n;
    const int first = row.tap * a.taps_across + run.reach.tap;  // also of windows that lie in the padding alone
    each_lane(a, run.number, [&](auto lanes, int64_t from, int64_t to) __attribute__((always_inline)) {
      auto best = taps.count ? at(lanes, x + taps.tap[0].source + from) : all(lanes, -INFINITY);
      auto won = all(lanes, first);
#pragma GCC unroll 9
      for (int t = 1; t < taps.count; t++) {
        const auto v = at(lanes, x + taps.tap[t].source + from);
        const auto wins = (v > best) | (v != v);
        best = wins ? v : best;
        won = wins ? all(lanes, taps.tap[t].tap) : won;
      }
      put(lanes, a.y + out + to, best);
      put(lanes, a.winner + out + to, won);
    });
  });
}

void max_pool_backward(const Windows& windows, int index) {
  const Windows a = windows;
  const Reach row = a.reach[index % a.rows.size];
  const float* grad = a.x + index / a.rows.size * plane(a);
  const uint8_t* winner = a.winner + index / a.rows.size * plane(a);
  each_run(a, row, [&](auto taps, const Run& run) __attribute__((always_inline)) {
    float* d_x = a.y + ((int64_t)index * a.columns.size + run.first) * a.n;
    each_lane(a, run.number, [&](auto lanes, int64_t from, int64_t to) __attribute__((always_inline)) {
      auto total = all(lanes, 0.0f);
#pragma GCC unroll 9
      for (int t = 0; t < taps.count; t++) {
        const auto won = at(lanes, winner + taps.tap[t].source + from) == all(lanes, taps.tap[t].tap);
        total += won ? at(lanes, grad + taps.tap[t].source + from) : all(lanes, 0.0f);
      }
      put(lanes, d_x + to, total);
    });
  });
}

// Sums of row `index`, divided where there is a divisor.
void window_sums(const Windows& windows, int index) {
  const Windows a = windows;
  const int h = index % a.rows.size;
  const Reach row = a.reach[h];
  const float* x = a.x + index / a.rows.size * plane(a);
  each_run(a, row, [&](auto taps, const Run& run) __attribute__((always_inline)) {
    const float divisor = a.divisor ? a.divisor[h * a.columns.size + run.first] : 1;
    float* y = a.y + ((int64_t)index * a.columns.size + run.first) * a.n;
    each_lane(a, run.number, [&](auto lanes, int64_t from, int64_t to) __attribute__((always_inline)) {
      auto total = all(lanes, 0.0f);
#pragma GCC unroll 9
      for (int t = 0; t < taps.count; t++) total += at(lanes, x + taps.tap[t].source + from);
      put(lanes, y + to, total / all(lanes, divisor));
    });
  });
}

// Row `index` of images of which every tap has told what it adds in a plane of its own: x is (C, taps, P, Q, N).
void tap_sums(const Windows& windows, int index) {
  const Windows a = windows;
  const Reach row = a.reach[index % a.rows.size];
  const int64_t from_tap = plane(a);
  const float* x = a.x + index / a.rows.size * a.taps * from_tap;
  each_run(a, row, [&](auto taps, const Run& run) __attribute__((always_inline)) {
    float* y = a.y + ((int64_t)index * a.columns.size + run.first) * a.n;
    each_lane(a, run.number, [&](auto lanes, int64_t from, int64_t to) __attribute__((always_inline)) {
      auto total = all(lanes, 0.0f);
#pragma GCC unroll 9
      for (int t = 0; t < taps.count; t++)
        total += at(lanes, x + taps.tap[t].tap * from_tap + taps.tap[t].source + from);
      put(lanes, y + to, total);
    });
  });
}

// Row `index` of y = bias + sum over the channels of a group and the taps of weight * x.
void weighted_sums(const Windows& windows, int index) {
  const Windows a = windows;
  const Reach row = a.reach[index % a.rows.size];
  const int channel = index / a.rows.size;
  const int64_t from_channel = plane(a);
  const float* x = a.x + channel / a.results * a.sources * from_channel;
  const float* weight = a.weight + channel / a.results * a.weight_group + channel % a.results * a.weight_result;
  const float bias = a.bias ? a.bias[channel] : 0;
  each_run(a, row, [&](auto taps, const Run& run) __attribute__((always_inline)) {
    float* y = a.y + ((int64_t)index * a.columns.size + run.first) * a.n;
    each_lane(a, run.number, [&](auto lanes, int64_t from, int64_t to) __attribute__((always_inline)) {
      auto total = all(lanes, bias);
      for (int c = 0; c < a.sources; c++)
#pragma GCC unroll 9
        for (int t = 0; t < taps.count; t++)
          total += all(lanes, weight[c * a.weight_source + taps.tap[t].tap]) *
                   at(lanes, x + c * from_channel + taps.tap[t].source + from);
      put(lanes, y + to, total);
    });
  });
}

struct Sums {  // of lanes of any kind
  Vec whole = {};
  Four four = {};

  INLINE void add(Vec v) { whole += v; }
#if LENET_LANES != 4
  INLINE void add(Four v) { four += v; }
#endif
  INLINE double total() const { return sum(whole) + ((four[0] + four[2]) + (four[1] + four[3])); }
};

// d_weight of result channel `pair` / sources and the source of its group that is the rest: the sum over all places of
// y * x, where y is the result's gradient; rows in floats, then in double precision.
void weighted_gradient(const Windows& windows, int pair) {
  const Windows a = windows;
  const int channel = pair / a.sources;
  const float* x = a.x + (channel / a.results * a.sources + pair % a.sources) * plane(a);
  const float* grad = a.y + (int64_t)channel * a.rows.size * a.columns.size * a.n;
  double totals[MOST_TAPS] = {};
  for (int h = 0; h < a.rows.size; h++, grad += (int64_t)a.columns.size * a.n)
    each_run(a, a.reach[h], [&](auto taps, const Run& run) __attribute__((always_inline)) {
      auto add = [&](auto some) __attribute__((always_inline)) {
        Sums sums[some.count];
        each_lane<true>(a, run.number, [&](auto lanes, int64_t from, int64_t to) __attribute__((always_inline)) {
          const auto g = at(in_result(lanes), grad + run.first * a.n + to);
#pragma GCC unroll 9
          for (int t = 0; t < some.count; t++) sums[t].add(g * at(lanes, x + some.tap[t].source + from));
        });
        for (int t = 0; t < some.count; t++) totals[some.tap[t].tap] += sums[t].total();
      };
      if constexpr (taps.few) {
        add(taps);
      } else {
        int t = 0;
        for (; t + 5 <= taps.count; t += 5) add(Few<5>(taps.tap + t));
        for (; t < taps.count; t++) add(Few<1>(taps.tap + t));
      }
    });
  float* d_weight = a.d_weight + channel * a.weight_result + pair % a.sources * a.weight_source;
  for (int t = 0; t < a.weight_source; t++) d_weight[t] = totals[t];
}

}  // namespace
