"""What follows a matrix product of cuBLAS, bias and relu, in one pass over its result; relu alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels import selection as relu_reference
from lenetcli.kernels.cuda.program import FLOAT, blocks, empty, launch
from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import larger

__all__ = ["linear", "linear_relu", "linear_relu_backward", "product", "relu", "relu_backward"]

SOURCE = """
// y (rows, columns) + bias of each column (BY_ROW: of each row), and max with 0 with RELU
extern "C" __global__ void finish(float* y, const float* bias, Long rows, Long columns) {
  for (Long row = blockIdx.y; row < rows; row += gridDim.y)
    for (Long i = HERE; i < columns; i += ALL) {
      float v = y[row * columns + i];
      if (bias) v += bias[BY_ROW ? row : i];
      y[row * columns + i] = RELU && v < 0 ? 0 : v;
    }
}

extern "C" __global__ void relu(const float* x, float* y, Long count) {
  for (Long i = HERE; i < count; i += ALL) y[i] = x[i] < 0 ? 0 : x[i];
}

extern "C" __global__ void masked(const float* grad, const float* y, float* out, Long count) {
  for (Long i = HERE; i < count; i += ALL) out[i] = y[i] <= 0 ? 0 : grad[i];
}

// a block for each feature: what relu lets through of its gradients, and their sum
extern "C" __global__ void masked_sum(
    const float* grad, const float* y, float* out, float* sums, Long n, Long next_row, Long next_feature) {
  __shared__ float parts[BLOCK / 32];
  float sum = 0;
  for (Long i = threadIdx.x; i < n; i += BLOCK) {
    Long at = i * next_row + blockIdx.x * next_feature;
    float v = y[at] <= 0 ? 0 : grad[at];
    out[at] = v;
    sum += v;
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int other = 1; other < BLOCK / 32; other++) sum += parts[other];
    sums[blockIdx.x] = sum;
  }
}
"""


def product(a: Array, b: Array) -> Array:
    """As lenetcli.kernels.linear.product."""
    if a.flags.f_contiguous and not a.flags.c_contiguous:
        y: Array = b.T.dot(a.T).T
        return y
    return a.dot(b)


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """As lenetcli.kernels.linear.linear."""
    y = product(x, weight.T)
    if bias is not None:
        _finish(y, bias, relu=False)
    return y


def linear_relu(x: Array, weight: Array, bias: Array | None) -> Array:
    """As lenetcli.kernels.linear.linear_relu."""
    y = product(x, weight.T)
    _finish(y, bias, relu=True)
    return y


def linear_relu_backward(
    grad: Array, x: Array, weight: Array, y: Array, need_x: bool
) -> tuple[Array | None, Array, Array]:
    """As lenetcli.kernels.linear.linear_relu_backward; the gradient of the weight lies in row order."""
    if grad.dtype is FLOAT and y.dtype is FLOAT and grad.size and grad.strides == y.strides and _gapless(y):
        n, o = y.shape
        out, d_bias = room_like(y), empty((o,))
        launch(SOURCE, "masked_sum", (o,), (grad, y, out, d_bias, n, *(s // 4 for s in y.strides)), RELU=0, BY_ROW=0)
    else:
        out = relu_backward(grad, y)
        d_bias = out.sum(axis=0)
    return product(out, weight) if need_x else None, out.T.dot(x), d_bias


def relu(x: Array) -> Array:
    """As lenetcli.kernels.selection.relu."""
    if x.dtype is not FLOAT or not x.size or not _gapless(x):
        return relu_reference.relu(x)
    y = room_like(x)
    launch(SOURCE, "relu", (blocks(x.size),), (x, y, x.size), RELU=0, BY_ROW=0)
    return y


def relu_backward(grad: Array, y: Array) -> Array:
    """As lenetcli.kernels.selection.relu_backward."""
    if not (grad.dtype is FLOAT and y.dtype is FLOAT and grad.size and grad.strides == y.strides and _gapless(y)):
        return np.where(y <= 0, grad.dtype.type(0), grad)
    out = room_like(y)
    launch(SOURCE, "masked", (blocks(grad.size),), (grad, y, out, grad.size), RELU=0, BY_ROW=0)
    return out


def finish(y: Array, bias: Array | None, by_row: bool, relu: bool = False) -> None:
    """Adds to each column (or row) of a matrix its own number, in place."""
    grid = blocks(y.shape[1]), min(y.shape[0], 2**15)
    launch(SOURCE, "finish", grid, (y, bias, *y.shape), RELU=int(relu), BY_ROW=int(by_row))


def _finish(y: Array, bias: Array | None, relu: bool) -> None:
    if y.dtype is FLOAT and (bias is None or bias.dtype is FLOAT) and y.size:
        by_row = not y.flags.c_contiguous  # a batch-last result: features are its rows
        finish(y.T if by_row else y, bias, by_row, relu)
        return
    if bias is not None:
        y += bias
    if relu:
        y[...] = larger(0, y)


def room_like(x: Array) -> Any:
    """Room in the memory order of a gapless array."""
    if x.flags.c_contiguous:
        return empty(x.shape)
    if x.flags.f_contiguous:
        return empty(x.shape[::-1]).T
    return np.moveaxis(empty((*x.shape[1:], x.shape[0])), -1, 0)


def _gapless(x: Any) -> bool:
    """Whether the array fills its memory, in row order, its reverse, or batch-last."""
    return bool(x.flags.c_contiguous or x.flags.f_contiguous or x.transpose(*range(1, x.ndim), 0).flags.c_contiguous)
