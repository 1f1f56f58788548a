// Sixteen lanes, whatever the registers' width: sums over them have the same order, and so the same bits, on all.
#pragma once

#include "vector.h"

namespace {

constexpr int SIXTEEN = 16;

struct Wide {
  static constexpr int count = SIXTEEN / L;
  Vec v[count];
};

#define EACH for (int j = 0; j < Wide::count; j++)
#define WIDE_OPERATOR(op)                   \
  INLINE Wide operator op(Wide a, Wide b) { \
    EACH a.v[j] = a.v[j] op b.v[j];         \
    return a;                               \
  }
WIDE_OPERATOR(+)
WIDE_OPERATOR(-)
WIDE_OPERATOR(*)
#undef WIDE_OPERATOR

INLINE Wide wide(float f) {
  Wide a;
  EACH a.v[j] = splat(f);
  return a;
}

// What has all lanes, and what has the first few of them; the others are zero, and are not written.
struct Full {};
struct Part {
  int count;
};

INLINE Wide load_wide(Full, const float* p) {
  Wide a;
  EACH a.v[j] = load(p + j * L);
  return a;
}
INLINE void store_wide(Full, float* p, Wide a) { EACH store(p + j * L, a.v[j]); }

INLINE Wide load_wide(Part part, const float* p) {
#if defined(__AVX512F__)
  return {{(Vec)_mm512_maskz_loadu_ps((1 << part.count) - 1, p)}};
#else
  Wide a;
  EACH {
    const int count = part.count - j * L;
    if (count >= L)
      a.v[j] = load(p + j * L);
    else if (count <= 0)
      a.v[j] = splat(0);
    else
#if defined(__AVX2__)
      a.v[j] = (Vec)_mm256_maskload_ps(p + j * L, (__m256i)(splat_int(count) > (Mask){0, 1, 2, 3, 4, 5, 6, 7}));
#else
      a.v[j] = load_some(p + j * L, 1, count);
#endif
  }
  return a;
#endif
}

INLINE void store_wide(Part part, float* p, Wide a) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (1 << part.count) - 1, (__m512)a.v[0]);
#else
  EACH {
    const int count = part.count - j * L;
    if (count >= L)
      store(p + j * L, a.v[j]);
    else if (count > 0)
#if defined(__AVX2__)
      _mm256_maskstore_ps(p + j * L, (__m256i)(splat_int(count) > (Mask){0, 1, 2, 3, 4, 5, 6, 7}), (__m256)a.v[j]);
#else
      store_some(p + j * L, 1, count, a.v[j]);
#endif
  }
#endif
}

// Adds the lanes to as many sums in double precision.
APART void add_lanes(Wide a, double* sums, int count) {
  float lanes[SIXTEEN];
  store_wide(Full(), lanes, a);
  for (int l = 0; l < count; l++) sums[l] += lanes[l];
}

// The sum of all lanes, in halves.
INLINE double sum_of_lanes(Wide a) {
  for (int half = Wide::count / 2; half; half /= 2)
    for (int j = 0; j < half; j++) a.v[j] = a.v[j] + a.v[j + half];
  return sum(a.v[0]);
}

}  // namespace
