"""Logarithms of softmax over few classes, a thread for each row; the mean likelihood of targets, in one block."""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import nll as likelihood_reference
from lenetcli.kernels import softmax as reference
from lenetcli.kernels.cuda.linear import room_like
from lenetcli.kernels.cuda.program import FLOAT, blocks, empty, launch
from lenetcli.kernels.layout import Array

__all__ = ["log_softmax", "log_softmax_backward", "nll_mean", "nll_mean_backward"]

MOST = 256  # classes

SOURCE = """
extern "C" __global__ void forward(const float* x, float* y, Long n, Long classes, Long next_row, Long next) {
  for (Long i = HERE; i < n; i += ALL) {
    const float* from = x + i * next_row;
    float top = from[0], sum = 0;
    for (Long c = 1; c < classes; c++) { float v = from[c * next]; top = v > top || v != v ? v : top; }
    for (Long c = 0; c < classes; c++) sum += expf(from[c * next] - top);
    float log_sum = logf(sum);
    for (Long c = 0; c < classes; c++) y[i * next_row + c * next] = from[c * next] - top - log_sum;
  }
}

extern "C" __global__ void backward(
    const float* grad, const float* y, float* d_x, Long n, Long classes, Long next_row, Long next) {
  for (Long i = HERE; i < n; i += ALL) {
    float sum = 0;
    for (Long c = 0; c < classes; c++) sum += grad[i * next_row + c * next];
    for (Long c = 0; c < classes; c++) {
      Long at = i * next_row + c * next;
      d_x[at] = grad[at] - expf(y[at]) * sum;
    }
  }
}

extern "C" __global__ void nll(
    const float* log_p, const Long* target, float* y, float* count, Long n, Long classes, Long next_row, Long next,
    Long ignore) {
  __shared__ double parts[2][BLOCK / 32];
  double sum = 0, kept = 0;
  for (Long i = threadIdx.x; i < n; i += BLOCK) {
    Long t = target[i];
    if (t == ignore) continue;
    kept += 1;
    sum -= t >= 0 && t < classes ? log_p[i * next_row + t * next] : nanf("");
  }
  sum = warp_sum(sum);
  kept = warp_sum(kept);
  if (threadIdx.x % 32 == 0) { parts[0][threadIdx.x / 32] = sum; parts[1][threadIdx.x / 32] = kept; }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int other = 1; other < BLOCK / 32; other++) { sum += parts[0][other]; kept += parts[1][other]; }
    *y = (float)(sum / kept);
    *count = (float)kept;
  }
}

extern "C" __global__ void nll_backward(
    const float* grad, const Long* target, const float* count, float* d_log_p, Long n, Long classes, Long next_row,
    Long next, Long ignore) {
  float share = -*grad / *count;
  for (Long i = HERE; i < n; i += ALL) {
    Long t = target[i];
    for (Long c = 0; c < classes; c++) d_log_p[i * next_row + c * next] = c == t && t != ignore ? share : 0;
  }
}
"""


def log_softmax(x: Array, axis: int) -> Array:
    """As lenetcli.kernels.softmax.log_softmax."""
    if not _takes(x) or axis % x.ndim != 1:
        return reference.log_softmax(x, axis)
    y = room_like(x)
    launch(SOURCE, "forward", (blocks(len(x)),), (x, y, *_geometry(x)))
    return y


def log_softmax_backward(grad: Array, y: Array, axis: int) -> Array:
    """As lenetcli.kernels.softmax.log_softmax_backward."""
    if not _takes(y) or axis % y.ndim != 1 or grad.dtype is not FLOAT or grad.strides != y.strides:
        return reference.log_softmax_backward(grad, y, axis)
    d_x = room_like(y)
    launch(SOURCE, "backward", (blocks(len(y)),), (grad, y, d_x, *_geometry(y)))
    return d_x


def nll_mean(log_p: Array, target: Array, ignore: int) -> tuple[Array, Array]:
    """As lenetcli.kernels.nll.nll_mean."""
    if not _takes(log_p) or target.dtype != np.int64 or not target.flags.c_contiguous:
        return likelihood_reference.nll_mean(log_p, target, ignore)
    y, count = empty(()), empty(())
    launch(SOURCE, "nll", (1,), (log_p, target, y, count, *_geometry(log_p), ignore))
    return y, count


def nll_mean_backward(grad: Array, log_p: Array, target: Array, ignore: int, count: Array) -> Array:
    """As lenetcli.kernels.nll.nll_mean_backward."""
    if not _takes(log_p) or target.dtype != np.int64 or not target.flags.c_contiguous or grad.dtype is not FLOAT:
        return likelihood_reference.nll_mean_backward(grad, log_p, target, ignore, count)
    d_log_p = room_like(log_p)
    given = (grad, target, count, d_log_p, *_geometry(log_p), ignore)
    launch(SOURCE, "nll_backward", (blocks(len(log_p)),), given)
    return d_log_p


def _takes(x: Array) -> bool:
    return x.dtype is FLOAT and x.ndim == 2 and 0 < x.shape[1] <= MOST and len(x) > 0 and _rows_or_columns(x)


def _rows_or_columns(x: Array) -> bool:
    return bool(x.flags.c_contiguous or x.flags.f_contiguous)


def _geometry(x: Array) -> tuple[int, int, int, int]:
    """Rows, classes, and how far the next row and the next class are."""
    return (*x.shape, *(stride // 4 for stride in x.strides))
