// Optimizer steps over flat arrays, in place: the rules of lenetcli/kernels/step.py, their reference, in one pass.
#pragma once

#include <math.h>

#include "kernels.h"
#include "vector.h"

namespace {

// b <- momentum b + (1 - dampening) g; p <- p - lr b, or p - lr (g + momentum b) with nesterov.
template <bool MOMENTUM, bool NESTEROV>
void sgd_rule(const Sgd& s, float* __restrict p, const float* __restrict grad, float* __restrict b, size_t n) {
  const float sign = s.maximize ? -1 : 1;
  for (size_t i = 0; i < n; i++) {
    float g = sign * grad[i] + s.weight_decay * p[i];
    float direction = g;
    if (MOMENTUM) {
      b[i] = s.momentum * b[i] + s.keep * g;
      direction = NESTEROV ? g + s.momentum * b[i] : b[i];
    }
    p[i] -= s.lr * direction;
  }
}

// Without weight decay the parameter does not enter the gradient: 0 times infinity would be NaN.
template <bool MOMENTUM, bool NESTEROV>
void sgd_rule_plain(const Sgd& s, float* __restrict p, const float* __restrict grad, float* __restrict b, size_t n) {
  const float sign = s.maximize ? -1 : 1;
  for (size_t i = 0; i < n; i++) {
    float g = sign * grad[i];
    float direction = g;
    if (MOMENTUM) {
      b[i] = s.momentum * b[i] + s.keep * g;
      direction = NESTEROV ? g + s.momentum * b[i] : b[i];
    }
    p[i] -= s.lr * direction;
  }
}

void sgd(const Sgd& s, float* p, const float* grad, float* b, size_t n) {
  FlushTiny flush;
  if (s.weight_decay != 0) {
    if (!b) return sgd_rule<false, false>(s, p, grad, b, n);
    return s.nesterov ? sgd_rule<true, true>(s, p, grad, b, n) : sgd_rule<true, false>(s, p, grad, b, n);
  }
  if (!b) return sgd_rule_plain<false, false>(s, p, grad, b, n);
  s.nesterov ? sgd_rule_plain<true, true>(s, p, grad, b, n) : sgd_rule_plain<true, false>(s, p, grad, b, n);
}

// m, v <- averages of g and g²; p <- p - rate m / (sqrt(v) / root + eps), rate and root holding the corrections of bias.
void adam(const Adam& s, float* __restrict p, const float* __restrict grad, float* __restrict m, float* __restrict v,
          size_t n) {
  FlushTiny flush;
  const float sign = s.maximize ? -1 : 1;
  const bool decays = s.weight_decay != 0, near = s.share < 0.5f;
  for (size_t i = 0; i < n; i++) {
    float x = p[i] * s.shrink, g = sign * grad[i];
    if (decays) g += s.weight_decay * x;
    m[i] = near ? m[i] + s.share * (g - m[i]) : g - (1 - s.share) * (g - m[i]);
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
    p[i] = x - s.rate * m[i] / (sqrtf(v[i]) / s.root + s.eps);
  }
}

}  // namespace
