// Update rules over flat arrays, in place: those of lenetcli/kernels/update.py, their reference, in one pass.
#pragma once

#include <math.h>

#include <utility>

#include "kernels.h"
#include "vector.h"

namespace {

// Without weight decay the parameter does not enter the gradient: 0 times infinity would be NaN.
template <bool DECAYS, bool MOMENTUM, bool NESTEROV>
void sgd_rule(const Objective& o, const Sgd& s, float* __restrict p, const float* __restrict grad, float* __restrict b,
              size_t n) {
  const float sign = o.maximize ? -1 : 1;
  for (size_t i = 0; i < n; i++) {
    float g = DECAYS ? sign * grad[i] + o.weight_decay * p[i] : sign * grad[i];
    if (MOMENTUM) {
      b[i] = s.momentum * b[i] + s.keep * g;
      g = NESTEROV ? g + s.momentum * b[i] : b[i];
    }
    p[i] -= s.lr * g;
  }
}

template <bool DECAYS>
void sgd_rules(const Objective& o, const Sgd& s, float* p, const float* grad, float* b, size_t n) {
  if (!b) return sgd_rule<DECAYS, false, false>(o, s, p, grad, b, n);
  s.nesterov ? sgd_rule<DECAYS, true, true>(o, s, p, grad, b, n) : sgd_rule<DECAYS, true, false>(o, s, p, grad, b, n);
}

void sgd(const Objective& o, const Sgd& s, float* p, const float* grad, float* b, size_t n) {
  FlushTiny flush;
  o.weight_decay != 0 ? sgd_rules<true>(o, s, p, grad, b, n) : sgd_rules<false>(o, s, p, grad, b, n);
}

void adam(const Objective& o, const Adam& s, float* __restrict p, const float* __restrict grad, float* __restrict m,
          float* __restrict v, size_t n) {
  FlushTiny flush;
  const float sign = o.maximize ? -1 : 1;
  const bool decays = o.weight_decay != 0, near = s.share < 0.5f;
  for (size_t i = 0; i < n; i++) {
    float x = p[i] * o.shrink, g = sign * grad[i];
    if (decays) g += o.weight_decay * x;
    m[i] = near ? m[i] + s.share * (g - m[i]) : g - (1 - s.share) * (g - m[i]);
    v[i] = s.beta2 * v[i] + s.rest * g * g;
    p[i] = x - s.rate * m[i] / (sqrtf(v[i]) / s.root + s.eps);
  }
}

// What a rule does to one number: parameter p, gradient g, state, its numbers c. Each is written as in
// lenetcli/kernels/update.py, with what does not change from element to element taken before, in double precision.
INLINE float lerp(float start, float end, float weight) {
  return weight < 0.5f ? start + weight * (end - start) : end - (1 - weight) * (end - start);
}

struct Amsgrad {  // 1 - beta1, beta2, 1 - beta2, eps, lr / (1 - beta1^t), sqrt(1 - beta2^t)
  static INLINE void change(const float* c, float& p, float g, float& m, float& v, float& largest) {
    m = lerp(m, g, c[0]);
    v = c[1] * v + c[2] * g * g;
    largest = largest > v || largest != largest ? largest : v;
    p -= c[4] * m / (sqrtf(largest) / c[5] + c[3]);
  }
};

struct Adamax {  // 1 - beta1, beta2, eps, lr / (1 - beta1^t)
  static INLINE void change(const float* c, float& p, float g, float& m, float& u) {
    m = lerp(m, g, c[0]);
    const float kept = c[1] * u, now = fabsf(g) + c[2];
    u = kept > now || kept != kept ? kept : now;
    p -= c[3] * m / u;
  }
};

struct Nadam {  // 1 - beta1, beta2, 1 - beta2, eps, 1 - beta2^t, rate of g, rate of m
  static INLINE void change(const float* c, float& p, float g, float& m, float& v) {
    m = lerp(m, g, c[0]);
    v = c[1] * v + c[2] * g * g;
    p -= (c[5] * g + c[6] * m) / (sqrtf(v / c[4]) + c[3]);
  }
};

struct Radam {  // 1 - beta1, beta2, 1 - beta2, eps, rate, whether it is divided
  static INLINE void change(const float* c, float& p, float g, float& m, float& v) {
    m = lerp(m, g, c[0]);
    v = c[1] * v + c[2] * g * g;
    const float root = sqrtf(v) + c[3];
    p -= c[4] * m / (c[5] != 0 ? root : 1);
  }
};

// alpha, 1 - alpha, eps, lr, momentum
struct Rmsprop {
  static INLINE float step(const float* c, float g, float& v) {
    v = c[0] * v + c[1] * g * g;
    return g / (sqrtf(v) + c[2]);
  }
  static INLINE float centred(const float* c, float g, float& v, float& a) {
    v = c[0] * v + c[1] * g * g;
    a = lerp(a, g, c[1]);
    return g / (sqrtf(v - a * a) + c[2]);
  }
  static INLINE void change(const float* c, float& p, float g, float& v) { p -= c[3] * step(c, g, v); }
};

struct RmspropMomentum {
  static INLINE void change(const float* c, float& p, float g, float& v, float& b) {
    b = c[4] * b + Rmsprop::step(c, g, v);
    p -= c[3] * b;
  }
};

struct RmspropCentred {
  static INLINE void change(const float* c, float& p, float g, float& v, float& a) {
    p -= c[3] * Rmsprop::centred(c, g, v, a);
  }
};

struct RmspropCentredMomentum {
  static INLINE void change(const float* c, float& p, float g, float& v, float& b, float& a) {
    b = c[4] * b + Rmsprop::centred(c, g, v, a);
    p -= c[3] * b;
  }
};

struct Adagrad {  // rate, eps
  static INLINE void change(const float* c, float& p, float g, float& s) {
    s += g * g;
    p -= c[0] * g / (sqrtf(s) + c[1]);
  }
};

struct Adadelta {  // lr, rho, 1 - rho, eps
  static INLINE void change(const float* c, float& p, float g, float& v, float& u) {
    v = c[1] * v + c[2] * g * g;
    const float d = sqrtf(u + c[3]) / sqrtf(v + c[3]) * g;
    u = c[1] * u + c[2] * d * d;
    p -= c[0] * d;
  }
};

struct Rprop {  // eta_minus, eta_plus, smallest, largest
  static INLINE void change(const float* c, float& p, float g, float& previous, float& s) {
    const float agreement = previous * g;
    float step = s * (agreement > 0 ? c[1] : agreement < 0 ? c[0] : 1);
    step = step < c[2] ? c[2] : step;
    step = step > c[3] ? c[3] : step;
    s = step;
    previous = agreement < 0 ? 0 : g;
    p -= (float)((previous > 0) - (previous < 0)) * step;  // the sign, which is 0 of NaN
  }
};

// The loop, for as many arrays of state as the rule has.
template <class Rule, class... State>
INLINE void change_all(const Objective& o, const float* numbers, float* __restrict p, const float* __restrict grad,
                       size_t n, void (*)(const float*, float&, float, State&...), State* __restrict... state) {
  float c[MOST_NUMBERS];
  memcpy(c, numbers, sizeof c);
  const float sign = o.maximize ? -1 : 1;
  const bool decays = o.weight_decay != 0;
  for (size_t i = 0; i < n; i++) {
    float x = p[i] * o.shrink, g = sign * grad[i];
    if (decays) g += o.weight_decay * x;
    Rule::change(c, x, g, state[i]...);
    p[i] = x;
  }
}

template <class Rule, class... State, size_t... K>
INLINE void with_state(const Objective& o, const float* c, float* const* at, size_t n,
                       void (*change)(const float*, float&, float, State&...), std::index_sequence<K...>) {
  change_all<Rule>(o, c, at[0], at[1], n, change, at[2 + K]...);
}

template <class Rule, class... State>
INLINE void with_all(const Objective& o, const float* c, float* const* at, size_t n,
                     void (*change)(const float*, float&, float, State&...)) {
  with_state<Rule>(o, c, at, n, change, std::index_sequence_for<State...>());
}

template <class Rule>
void one_rule(const Objective& o, const float* c, float* const* at, size_t n) {
  FlushTiny flush;
  with_all<Rule>(o, c, at, n, &Rule::change);
}

// It asks for signs, which the least numbers have, too.
template <>
void one_rule<Rprop>(const Objective& o, const float* c, float* const* at, size_t n) {
  with_all<Rprop>(o, c, at, n, &Rprop::change);
}

void rule(int number, const Objective& o, const float* c, float* const* at, size_t n) {
#define RULE(name, Rule) &one_rule<Rule>,
  static void (*const all[])(const Objective&, const float*, float* const*, size_t) = {RULES};
#undef RULE
  all[number](o, c, at, n);
}

}  // namespace
