// Elementary functions over vectors, to a few units of the last place; NaN gives itself.
#pragma once

#include <math.h>

#include "vector.h"

namespace {

// e^x, to 2 units in the last place: x = n log 2 + r, 2^n by its bits, e^r as a polynomial (Cephes' expf).
INLINE Vec exponential(Vec x) {
  const Mask nan = x != x;
  Vec low = splat(-104), high = splat(89);
  Vec bound = choose(x < low, low, choose(x > high, high, choose(nan, splat(0), x)));
  Vec scaled = bound * splat(1.44269504088896341f);
  Mask n = __builtin_convertvector(scaled + choose(scaled < splat(0), splat(-0.5f), splat(0.5f)), Mask);
  Vec f = __builtin_convertvector(n, Vec);
  Vec r = bound - f * splat(0.693359375f) + f * splat(2.12194440e-4f);
  Vec p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  Vec y = p * r * r + r + splat(1);
  Mask half = n >> 1, rest = n - half;  // 2^n in two factors: n may lie outside of a float's exponents
  Mask first = (half + splat_int(127)) << 23, second = (rest + splat_int(127)) << 23;
  y = y * (Vec)first * (Vec)second;
  return choose(nan, x, y);
}

// c[0] + c[1] x + c[2] x^2 + ...
template <int N>
INLINE Vec polynomial(const float (&c)[N], Vec x) {
  Vec y = splat(c[N - 1]);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; i--) y = y * x + splat(c[i]);
  return y;
}

INLINE Vec absolute(Vec x) { return (Vec)((Mask)x & splat_int(0x7fffffff)); }
INLINE Vec with_sign(Vec x, Vec of) { return (Vec)((Mask)absolute(x) | ((Mask)of & splat_int(INT32_MIN))); }
INLINE Vec square_root(Vec x) {
#if defined(__AVX512F__)
  return (Vec)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX__)
  return (Vec)_mm256_sqrt_ps((__m256)x);
#else
  for (int l = 0; l < L; l++) x[l] = sqrtf(x[l]);
  return x;
#endif
}

// e^x - 1, with its digits near 0: there the series, cut off after x^8 / 8!.
INLINE Vec exponential_less_one(Vec x) {
  static const float c[] = {1, 1.0f / 2, 1.0f / 6, 1.0f / 24, 1.0f / 120, 1.0f / 720, 1.0f / 5040, 1.0f / 40320};
  return choose(absolute(x) < splat(0.5f), polynomial(c, x) * x, exponential(x) - splat(1));
}

// log(x) of normal numbers x: 2^n m with m around 1, and log(m) = 2 artanh(s), s = (m - 1) / (m + 1), as a series.
INLINE Vec logarithm(Vec x) {
  static const float c[] = {2, 2.0f / 3, 2.0f / 5, 2.0f / 7, 2.0f / 9};
  const Mask n = ((Mask)x - splat_int(0x3f3504f3)) >> 23;  // of sqrt(1/2)
  const Vec m = (Vec)((Mask)x - (n << 23)), s = (m - splat(1)) / (m + splat(1)), f = __builtin_convertvector(n, Vec);
  const Vec y = f * splat(0.693359375f) + (polynomial(c, s * s) * s - f * splat(2.12194440e-4f));
  return choose((x != x) | (x == splat(INFINITY)), x, y);
}

// log(1 + x) for x >= 0; what rounding 1 + x has cut off is made up for.
INLINE Vec logarithm_of_one_and(Vec x) {
  const Vec sum = splat(1) + x, kept = sum - splat(1);
  return choose(kept == splat(0), x, choose(x > splat(1e30f), logarithm(x), logarithm(sum) * (x / kept)));
}

// tanh x, to 3 units in the last place: a polynomial near 0 (Cephes' tanhf), where 1 - 2 / (e^2x + 1) would lose digits.
INLINE Vec hyperbolic_tangent(Vec x) {
  static const float c[] = {-3.33332819422e-1f, 1.33314422036e-1f, -5.37397155531e-2f, 2.06390887954e-2f,
                            -5.70498872745e-3f};
  const Vec size = absolute(x), square = x * x;
  const Vec far = splat(1) - splat(2) / (exponential(size + size) + splat(1));
  return with_sign(choose(size < splat(0.625f), polynomial(c, square) * square * size + size, far), x);  // -0, too
}

INLINE Vec logistic(Vec x) { return splat(1) / (splat(1) + exponential(-x)); }

// Density of the normal distribution, and its share below x by erfc(z) = e^(-z^2) q(1 / (1 + 0.4 z)), z = |x| / sqrt(2);
// q was fitted to relative errors of 3e-8 for z up to 10, where the share is below the least float.
INLINE Vec normal_density(Vec x) { return exponential(x * x * splat(-0.5f)) * splat(0.398942280f); }
INLINE Vec normal_share(Vec x, Vec density) {
  static const float q[] = {2.6410935e-05f, 0.225082453f, 0.231356285f,  0.177410399f,   0.268656793f,
                            -0.0686065771f, 0.27584153f,  -0.063730711f, -0.07472804f, 0.0286914875f};
  const Vec t = splat(1) / (splat(1) + absolute(x) * splat(0.282842712f));
  const Vec tail = polynomial(q, t) * density * splat(1.25331414f);  // sqrt(pi / 2): half of e^(-z^2) by the density
  return choose(x > splat(0), splat(1) - tail, tail);
}

}  // namespace
