// Vectors of floats as wide as the target's registers, in GCC's and Clang's vector extension: one source for all.
// Included by kernels.cc only, which is compiled once per instruction set; everything here is local to that file.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LENET_LANES 16
#define LENET_REGISTERS 32
#elif defined(__AVX__)
#define LENET_LANES 8
#define LENET_REGISTERS 16
#elif defined(__aarch64__)
#define LENET_LANES 4
#define LENET_REGISTERS 32
#else
#define LENET_LANES 4
#define LENET_REGISTERS 16
#endif

#define INLINE inline __attribute__((always_inline))
// For what runs at edges: inlined everywhere, it would be most of the code, and of the time to compile it.
#define APART __attribute__((noinline))

namespace {

constexpr int L = LENET_LANES;
constexpr bool MANY_REGISTERS = LENET_REGISTERS == 32;

typedef float Vec __attribute__((vector_size(4 * LENET_LANES)));
typedef int32_t Mask __attribute__((vector_size(4 * LENET_LANES)));    // -1 where true, 0 where false
typedef uint8_t Bytes __attribute__((vector_size(LENET_LANES)));
typedef float LooseVec __attribute__((vector_size(4 * LENET_LANES), aligned(4), may_alias));
typedef uint8_t LooseBytes __attribute__((vector_size(LENET_LANES), aligned(1), may_alias));

INLINE Vec load(const float* p) { return *(const LooseVec*)p; }
INLINE void store(float* p, Vec v) { *(LooseVec*)p = v; }
INLINE void fetch(const void* p) { __builtin_prefetch(p, 1); }  // what will be written; anywhere
INLINE Vec splat(float f) {  // one broadcast; `(Vec){} + f` would add, because of -0
#if LENET_LANES == 16
  return (Vec){f, f, f, f, f, f, f, f, f, f, f, f, f, f, f, f};
#elif LENET_LANES == 8
  return (Vec){f, f, f, f, f, f, f, f};
#else
  return (Vec){f, f, f, f};
#endif
}
INLINE Mask splat_int(int32_t i) { return (Mask){} + i; }

// The first `count` lanes from memory `step` floats apart, the others zero.
APART Vec load_some(const float* p, int64_t step, int count) {
  float lanes[L] = {};
  for (int l = 0; l < count; l++) lanes[l] = p[l * step];
  return load(lanes);
}

APART void store_some(float* p, int64_t step, int count, Vec v) {
  float lanes[L];
  store(lanes, v);
  for (int l = 0; l < count; l++) p[l * step] = lanes[l];
}

INLINE Mask lane_numbers() {
#if LENET_LANES == 16
  return (Mask){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif LENET_LANES == 8
  return (Mask){0, 1, 2, 3, 4, 5, 6, 7};
#else
  return (Mask){0, 1, 2, 3};
#endif
}

// The same of neighbours, without touching what lies behind them; `count` from 0 to L.
INLINE Vec load_first(const float* p, int count) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
#elif defined(__AVX__)
  return (Vec)_mm256_maskload_ps(p, (__m256i)(lane_numbers() < splat_int(count)));
#else
  return load_some(p, 1, count);
#endif
}

INLINE void store_first(float* p, int count, Vec v) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
#elif defined(__AVX__)
  _mm256_maskstore_ps(p, (__m256i)(lane_numbers() < splat_int(count)), (__m256)v);
#else
  store_some(p, 1, count, v);
#endif
}

// The same, and all where there are at least so many.
INLINE Vec load_part(const float* p, int count) { return count >= L ? load(p) : load_first(p, count); }
INLINE void store_part(float* p, int count, Vec v) { count >= L ? store(p, v) : store_first(p, count, v); }

// Every second lane of two vectors from lane 0 or 1 on, and back: the first or second halves of them, in turn.
#if LENET_LANES == 16
#define LENET_PICK(a, b, x, y) \
  __builtin_shufflevector(a, b, x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7), y(0), y(1), y(2), y(3), y(4), y(5), \
                          y(6), y(7))
#elif LENET_LANES == 8
#define LENET_PICK(a, b, x, y) __builtin_shufflevector(a, b, x(0), x(1), x(2), x(3), y(0), y(1), y(2), y(3))
#else
#define LENET_PICK(a, b, x, y) __builtin_shufflevector(a, b, x(0), x(1), y(0), y(1))
#endif
#define LENET_EVEN(i) 2 * (i)
#define LENET_EVEN_OF_NEXT(i) L + 2 * (i)
#define LENET_ODD(i) 2 * (i) + 1
#define LENET_ODD_OF_NEXT(i) L + 2 * (i) + 1
#define LENET_TURN(i) (i) % 2 * L + (i) / 2
#define LENET_LATER_TURN(i) LENET_TURN(i) + L / 4
#define LENET_SECOND_TURN(i) LENET_TURN(i) + L / 2
#define LENET_LATER_SECOND_TURN(i) LENET_TURN(i) + 3 * L / 4
INLINE Vec evens(Vec a, Vec b) { return LENET_PICK(a, b, LENET_EVEN, LENET_EVEN_OF_NEXT); }
INLINE Vec odds(Vec a, Vec b) { return LENET_PICK(a, b, LENET_ODD, LENET_ODD_OF_NEXT); }
INLINE Vec first_in_turn(Vec a, Vec b) { return LENET_PICK(a, b, LENET_TURN, LENET_LATER_TURN); }
INLINE Vec last_in_turn(Vec a, Vec b) { return LENET_PICK(a, b, LENET_SECOND_TURN, LENET_LATER_SECOND_TURN); }

// Bytes as lanes and back; what compilers make of a conversion takes bytes one by one.
INLINE Mask load_bytes(const uint8_t* p) {
#if defined(__AVX512F__)
  return (Mask)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p));
#elif defined(__AVX2__)
  return (Mask)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
#elif defined(__SSE4_1__)
  return (Mask)_mm_cvtepu8_epi32(_mm_loadu_si32(p));
#else
  return __builtin_convertvector(*(const LooseBytes*)p, Mask);
#endif
}

INLINE void store_bytes(uint8_t* p, Mask m) {
#if defined(__AVX512F__)
  _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8((__m512i)m));
#elif defined(__AVX2__)
  const __m128i first = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m128i low = _mm_shuffle_epi8(_mm256_castsi256_si128((__m256i)m), first);
  const __m128i high = _mm_shuffle_epi8(_mm256_extracti128_si256((__m256i)m, 1), first);
  _mm_storel_epi64((__m128i*)p, _mm_unpacklo_epi32(low, high));
#elif defined(__SSE4_1__)
  const __m128i first = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  _mm_storeu_si32(p, _mm_shuffle_epi8((__m128i)m, first));
#else
  *(LooseBytes*)p = __builtin_convertvector(m, Bytes);
#endif
}

INLINE float sum(Vec v) {  // in halves
  typedef float Four __attribute__((vector_size(16)));
#if LENET_LANES == 16
  typedef float Eight __attribute__((vector_size(32)));
  Eight e = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
            __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  Four f = __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
#elif LENET_LANES == 8
  Four f = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  Four f = v;
#endif
  return (f[0] + f[2]) + (f[1] + f[3]);
}

// While it lives, numbers too small for a normal float (below 1.2e-38) count as zero. A decaying average never reaches
// zero by itself, and each such number costs more than a hundred others.
struct FlushTiny {
#if defined(__x86_64__)
  unsigned before = _mm_getcsr();
  FlushTiny() { _mm_setcsr(before | 0x8040); }
  ~FlushTiny() { _mm_setcsr(before); }
#endif
};

template <int N>
struct Count {
  static constexpr int value = N;
};

INLINE bool any_nan(Vec v) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q) != 0;
#elif defined(__AVX__)
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)v, (__m256)v, _CMP_UNORD_Q)) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps(_mm_cmpunord_ps((__m128)v, (__m128)v)) != 0;
#else
  Mask m = v != v;
  return (m[0] | m[1] | m[2] | m[3]) != 0;
#endif
}

// 0 where a number is finite and not huge (3e30), NaN elsewhere.
INLINE Vec nothing_of(Vec v) { return v * splat(1e8f) * splat(0); }
INLINE float nothing_of(float f) { return f * 1e8f * 0; }

INLINE Vec choose(Mask m, Vec yes, Vec no) { return m ? yes : no; }

}  // namespace
