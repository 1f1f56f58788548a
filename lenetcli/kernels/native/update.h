// Update rules over flat arrays, in place: those of lenetcli/kernels/update.py, their reference, in one pass.
#pragma once

#include <math.h>

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

}  // namespace
