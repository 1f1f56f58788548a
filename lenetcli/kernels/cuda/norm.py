"""Batch norm: sums of each channel in double precision, in chunks; then one pass that applies them."""

from __future__ import annotations

import math

import numpy as np

from lenetcli.kernels import norm as reference
from lenetcli.kernels.cuda.program import FLOAT, LARGEST, MANY, blocks, empty, launch, stored
from lenetcli.kernels.layout import Array, logical
from lenetcli.kernels.norm import Moments

__all__ = ["batch_norm", "batch_norm_backward", "channel_norm", "channel_norm_backward", "track"]

SOURCE = """
// sums (C, chunks, 2): of v and of v (x - first of the row), v = x - first in forward, grad in backward
extern "C" __global__ void sums(const float* x, const float* grad, const float* centre, double* sums, Long m) {
  __shared__ double parts[2][BLOCK / 32];
  Long c = blockIdx.y;
  const float *row = x + c * m, *g = grad ? grad + c * m : 0;
  float near = centre ? centre[c] : row[0];
  double a = 0, b = 0;
  for (Long i = HERE; i < m; i += ALL) {
    float d = row[i] - near, v = g ? g[i] : d;
    a += v;
    b += (double)v * d;
  }
  a = warp_sum(a);
  b = warp_sum(b);
  if (threadIdx.x % 32 == 0) { parts[0][threadIdx.x / 32] = a; parts[1][threadIdx.x / 32] = b; }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int other = 1; other < BLOCK / 32; other++) { a += parts[0][other]; b += parts[1][other]; }
    sums[(c * gridDim.x + blockIdx.x) * 2] = a;
    sums[(c * gridDim.x + blockIdx.x) * 2 + 1] = b;
  }
}

// of each channel: its moments, and y = scale (x - centre) + shift
extern "C" __global__ void moments(
    const float* x, const double* sums, const float* weight, const float* bias, float* centre, double* offset,
    double* var, float* scale, float* shift, Long channels, Long m, Long chunks, double eps) {
  for (Long c = HERE; c < channels; c += ALL) {
    double a = 0, b = 0;
    for (Long i = 0; i < chunks; i++) { a += sums[(c * chunks + i) * 2]; b += sums[(c * chunks + i) * 2 + 1]; }
    double mean = a / m, spread = b / m - mean * mean;
    spread = spread < 0 ? 0 : spread;
    double by = (weight ? weight[c] : 1.0) / sqrt(spread + eps);
    centre[c] = x[c * m];
    offset[c] = mean;
    var[c] = spread;
    scale[c] = (float)by;
    shift[c] = (float)((bias ? bias[c] : 0.0) - mean * by);
  }
}

// of each channel: gradients of weight and bias, and d_x = scale grad + slope (x - centre) + shift
extern "C" __global__ void slopes(
    const double* sums, const float* weight, const double* offset, const double* var, float* d_weight, float* d_bias,
    float* scale, float* slope, float* shift, Long channels, Long m, Long chunks, double eps) {
  for (Long c = HERE; c < channels; c += ALL) {
    double a = 0, b = 0;
    for (Long i = 0; i < chunks; i++) { a += sums[(c * chunks + i) * 2]; b += sums[(c * chunks + i) * 2 + 1]; }
    double inverse = 1 / sqrt(var[c] + eps), by = weight ? inverse * weight[c] : inverse;
    double d = (b - offset[c] * a) * inverse, down = by * inverse * d / m;
    d_weight[c] = (float)d;
    d_bias[c] = (float)a;
    scale[c] = (float)by;
    slope[c] = (float)-down;
    shift[c] = (float)(down * offset[c] - by * a / m);
  }
}

// running <- (1 - momentum) running + momentum (mean, unbiased variance)
extern "C" __global__ void track(
    float* mean, float* var, const float* centre, const double* offset, const double* spread, Long channels,
    double momentum, double unbiased) {
  for (Long c = HERE; c < channels; c += ALL) {
    mean[c] = (float)(mean[c] * (1 - momentum) + (centre[c] + offset[c]) * momentum);
    var[c] = (float)(var[c] * (1 - momentum) + spread[c] * unbiased * momentum);
  }
}

// y = scale grad + slope (x - centre) + shift; without grad: y = scale (x - centre) + shift
extern "C" __global__ void apply(
    const float* x, const float* grad, const float* centre, const float* scale, const float* slope,
    const float* shift, float* y, Long channels, Long m) {
  for (Long c = blockIdx.y; c < channels; c += gridDim.y) {
    float near = centre[c], by = scale[c], down = grad ? slope[c] : 0, up = shift[c];
    for (Long i = HERE; i < m; i += ALL) {
      float d = x[c * m + i] - near;
      y[c * m + i] = grad ? by * grad[c * m + i] + (down * d + up) : by * d + up;
    }
  }
}
"""


def batch_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Moments]:
    """As lenetcli.kernels.norm.batch_norm."""
    if not _takes(x, weight, bias):
        return reference.batch_norm(x, weight, bias, eps)
    values, c, m, chunks = _rows(x)
    y, sums = empty(values.shape), empty((c, chunks, 2), np.float64)
    centre, scale, shift = (empty((c,)) for _ in range(3))
    offset, var = (empty((c,), np.float64) for _ in range(2))
    launch(SOURCE, "sums", (chunks, c), (values, None, None, sums, m))
    given = (values, sums, weight, bias, centre, offset, var, scale, shift, c, m, chunks, float(eps))
    launch(SOURCE, "moments", (blocks(c),), given)
    _apply(values, None, centre, scale, None, shift, y, c, m)
    return logical(y), Moments(centre, offset, var)


def batch_norm_backward(
    grad: Array, x: Array, weight: Array | None, moments: Moments, eps: float
) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.norm.batch_norm_backward."""
    if not _takes(x, weight) or grad.dtype is not FLOAT:
        return reference.batch_norm_backward(grad, x, weight, moments, eps)
    values, c, m, chunks = _rows(x)
    d_y = stored(grad)
    d_x, sums = empty(values.shape), empty((c, chunks, 2), np.float64)
    d_weight, d_bias, scale, slope, shift = (empty((c,)) for _ in range(5))
    launch(SOURCE, "sums", (chunks, c), (values, d_y, moments.centre, sums, m))
    given = (sums, weight, moments.offset, moments.var, d_weight, d_bias, scale, slope, shift)
    launch(SOURCE, "slopes", (blocks(c),), (*given, c, m, chunks, float(eps)))
    _apply(values, d_y, moments.centre, scale, slope, shift, d_x, c, m)
    return logical(d_x), d_weight, d_bias


def track(mean: Array, var: Array, moments: Moments, momentum: float, count: int) -> None:
    """As lenetcli.kernels.norm.track."""
    if not (mean.dtype is var.dtype is moments.centre.dtype is FLOAT and mean.size):
        reference.track(mean, var, moments, momentum, count)
        return
    given = (mean, var, *moments, mean.size, float(momentum), count / (count - 1))
    launch(SOURCE, "track", (blocks(mean.size),), given)


def channel_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """As lenetcli.kernels.norm.channel_norm."""
    scale = 1 / np.sqrt(var.astype(np.float64) + eps)
    scale = (scale if weight is None else scale * weight).astype(x.dtype)
    y = (x - _along(mean, x)) * _along(scale, x)
    return y if bias is None else y + _along(bias, x)


def channel_norm_backward(
    grad: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """As lenetcli.kernels.norm.channel_norm_backward."""
    inverse = 1 / np.sqrt(var.astype(np.float64) + eps)
    over = (0, *range(2, x.ndim))
    d_weight = (grad * (x - _along(mean, x))).sum(axis=over, dtype=np.float64) * inverse
    scale = (inverse if weight is None else inverse * weight).astype(x.dtype)
    d_bias = grad.sum(axis=over, dtype=np.float64)
    return grad * _along(scale, x), d_weight.astype(x.dtype), d_bias.astype(x.dtype)


def _along(channels: Array, x: Array) -> Array:
    """(C,) beside (N, C, ...)."""
    return channels.reshape(-1, *(1,) * (x.ndim - 2))


def _takes(x: Array, *parameters: Array | None) -> bool:
    kinds = {p.dtype for p in (x, *parameters) if p is not None}
    return kinds == {FLOAT} and 0 < x.size <= LARGEST and x.shape[1] < 2**16


def _rows(x: Array) -> tuple[Array, int, int, int]:
    """The stored image, its channels, their elements, and into how many chunks they are cut."""
    values = stored(x)
    c, m = values.shape[0], math.prod(values.shape[1:])
    return values, c, m, max(1, min(-(-m // 1024), -(-2 * MANY // c)))


def _apply(
    x: Array, grad: Array | None, centre: Array, scale: Array, slope: Array | None, shift: Array, y: Array,
    c: int, m: int,
) -> None:  # fmt: skip
    arrays = (x, grad, centre, scale, slope, shift, y)
    launch(SOURCE, "apply", (blocks(m), min(c, 2**15)), (*arrays, c, m))
