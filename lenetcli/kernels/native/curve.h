// Activation functions, one number each: `value` is y, `slope` the gradient of x. Those of CURVES_OF_RESULT have their
// gradient from y in place of x. Formulas, and what happens at kinks and NaN: lenetcli/kernels/activation.py, the
// reference.
#pragma once

#include "elementary.h"
#include "kernels.h"

namespace {

INLINE Vec zero() { return splat(0); }
INLINE Vec clamped(Vec x, Vec low, Vec high) {  // of equal ones, x
  const Vec y = choose(x < low, low, x);
  return choose(y > high, high, y);
}

struct LeakyRelu {  // slope
  static INLINE Vec value(Vec x, const Vec* c) { return choose(x > zero(), x, x * c[0]); }
  static INLINE Vec slope(Vec g, Vec x, const Vec* c) { return choose(x > zero(), g, g * c[0]); }
};

struct Threshold {  // limit, value
  static INLINE Vec value(Vec x, const Vec* c) { return choose(x <= c[0], c[1], x); }
  static INLINE Vec slope(Vec g, Vec x, const Vec* c) { return choose(x <= c[0], zero(), g); }
};

struct Hardtanh {  // low, high
  static INLINE Vec value(Vec x, const Vec* c) { return clamped(x, c[0], c[1]); }
  static INLINE Vec slope(Vec g, Vec x, const Vec* c) { return choose((x <= c[0]) | (x >= c[1]), zero(), g); }
};

struct Hardsigmoid {
  static INLINE Vec value(Vec x, const Vec*) { return clamped(x + splat(3), zero(), splat(6)) / splat(6); }
  static INLINE Vec slope(Vec g, Vec x, const Vec*) {
    return choose((x > splat(-3)) & (x < splat(3)), g * splat(1.0f / 6), zero());
  }
};

struct Hardswish {
  static INLINE Vec value(Vec x, const Vec*) { return clamped(x + splat(3), zero(), splat(6)) * x / splat(6); }
  static INLINE Vec slope(Vec g, Vec x, const Vec*) {
    const Vec inner = choose(x < splat(3), g * (x / splat(3) + splat(0.5f)), g);
    return choose(x <= splat(-3), zero(), inner);
  }
};

struct Hardshrink {  // lambd
  static INLINE Vec value(Vec x, const Vec* c) { return choose((x >= -c[0]) & (x <= c[0]), zero(), x); }
  static INLINE Vec slope(Vec g, Vec x, const Vec* c) { return choose((x >= -c[0]) & (x <= c[0]), zero(), g); }
};

struct Softshrink {  // lambd
  static INLINE Vec value(Vec x, const Vec* c) {
    return choose(x > c[0], x - c[0], choose(x < -c[0], x + c[0], x * zero()));  // which keeps the sign, and NaN
  }
  static INLINE Vec slope(Vec g, Vec x, const Vec* c) { return Hardshrink::slope(g, x, c); }
};

struct Elu {  // alpha, scale, input_scale
  static INLINE Vec value(Vec x, const Vec* c) {
    const Vec below = exponential_less_one(choose(x < zero(), x, zero()) * c[2]) * (c[0] * c[1]);
    return choose(x < zero(), below, x * c[1]);
  }
  static INLINE Vec slope(Vec g, Vec x, const Vec* c) {
    return choose(x <= zero(), exponential(x * c[2]) * (c[0] * c[1] * c[2]) * g, g * c[1]);
  }
};

struct Gelu {
  static INLINE Vec value(Vec x, const Vec*) { return x * normal_share(x, normal_density(x)); }
  static INLINE Vec slope(Vec g, Vec x, const Vec*) {
    const Vec density = normal_density(x);
    return g * (normal_share(x, density) + x * density);
  }
};

struct GeluTanh {  // (1 + tanh(u)) / 2 is the logistic function of 2 u, which keeps its digits where it is small
  static INLINE Vec twice_inner(Vec x) {
    return x * (splat(1) + x * x * splat(0.044715f)) * splat(1.59576912f);  // 2 sqrt(2 / pi)
  }
  static INLINE Vec value(Vec x, const Vec*) { return x * logistic(twice_inner(x)); }
  static INLINE Vec slope(Vec g, Vec x, const Vec*) {
    const Vec u = twice_inner(x), e = exponential(-choose(u < splat(-87), splat(-87), u)), s = splat(1) / (splat(1) + e);
    const Vec d_inner = splat(1.59576912f) * (splat(1) + splat(3 * 0.044715f) * (x * x));
    return g * (s + x * s * (e * s) * d_inner);  // e s = 1 - s, with its digits
  }
};

struct Silu {
  static INLINE Vec value(Vec x, const Vec*) { return x / (splat(1) + exponential(-x)); }
  static INLINE Vec slope(Vec g, Vec x, const Vec*) {
    const Vec s = logistic(x);
    return g * (s * (splat(1) + x * (splat(1) - s)));
  }
};

// tanh(log(1 + e^x)) = n / (n + 2), n = e^x (e^x + 2); from 20 on it is 1.
struct Mish {
  static INLINE Vec share(Vec e) {
    const Vec n = e * (e + splat(2));
    return n / (n + splat(2));
  }
  static INLINE Vec power(Vec x) { return exponential(choose(x > splat(20), splat(20), x)); }
  static INLINE Vec value(Vec x, const Vec*) { return x * share(power(x)); }
  static INLINE Vec slope(Vec g, Vec x, const Vec*) {
    const Vec e = power(x), n = e * (e + splat(2)), up = n + splat(2);
    const Vec rest = choose(x > splat(20), zero(), splat(4) * (n + splat(1)) / (up * up));  // 1 - tanh^2
    return g * (n / up + x * (e / (splat(1) + e)) * rest);
  }
};

struct Softplus {  // beta, limit
  static INLINE Vec value(Vec x, const Vec* c) {
    const Vec z = x * c[0];
    return choose(z > c[1], x, logarithm_of_one_and(exponential(z)) / c[0]);
  }
  static INLINE Vec slope(Vec g, Vec x, const Vec* c) {
    const Vec z = x * c[0], e = exponential(z);
    return choose(z > c[1], g, g * (e / (e + splat(1))));
  }
};

struct LogSigmoid {
  static INLINE Vec value(Vec x, const Vec*) {
    return choose(x > zero(), zero(), x) - logarithm_of_one_and(exponential(-absolute(x)));
  }
  static INLINE Vec slope(Vec g, Vec x, const Vec*) {
    const Vec e = exponential(-absolute(x));
    return choose(x > zero(), e, splat(1)) / (e + splat(1)) * g;
  }
};

struct Sigmoid {  // of y
  static INLINE Vec value(Vec x, const Vec*) { return logistic(x); }
  static INLINE Vec slope(Vec g, Vec y, const Vec*) { return g * (splat(1) - y) * y; }
};

struct Tanh {  // of y
  static INLINE Vec value(Vec x, const Vec*) { return hyperbolic_tangent(x); }
  static INLINE Vec slope(Vec g, Vec y, const Vec*) { return g * (splat(1) - y * y); }
};

template <class Function>
void curve(const Curve& a, const float* x, const float* grad, float* y, size_t n) {
  const Vec c[] = {splat(a.constants[0]), splat(a.constants[1]), splat(a.constants[2])};
  auto each = [&](auto one) __attribute__((always_inline)) {
    for (size_t i = 0; i < n; i += L) {
      const int left = n - i < L ? n - i : L;
      store_part(y + i, left, one(load_part(x + i, left), i, left));
    }
  };
  if (grad)
    each([&](Vec v, size_t i, int left) __attribute__((always_inline)) {
      return Function::slope(load_part(grad + i, left), v, c);
    });
  else
    each([&](Vec v, size_t, int) __attribute__((always_inline)) { return Function::value(v, c); });
}

// Elements of one part of an array; `grad` is null for values.
void curve(const Curve& a, const float* x, const float* grad, float* y, size_t n) {
#define CURVE(name, Function) &curve<Function>,
  static void (*const all[])(const Curve&, const float*, const float*, float*, size_t) = {CURVES};
#undef CURVE
  all[a.number](a, x, grad, y, n);
}

}  // namespace
