"""Max pooling: a thread for each place of the result, and in backward one for each pixel, which asks who won."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels import pool as reference
from lenetcli.kernels.cuda.conv import geometry
from lenetcli.kernels.cuda.program import FLOAT, LARGEST, blocks, empty, launch, stored
from lenetcli.kernels.layout import Array, logical
from lenetcli.kernels.window import Pair, extent

__all__ = ["max_pool2d", "max_pool2d_backward"]

SOURCE = """
// a row is a channel: (H, W, N) in, (P, Q, N) out
extern "C" __global__ void forward(
    const float* x, float* y, WINNER* winner, Long channels, Long h, Long w, Long n, Long p, Long q) {
  for (Long c = blockIdx.y; c < channels; c += gridDim.y) {
    const float* image = x + c * h * w * n;
    for (Long i = HERE; i < p * q * n; i += ALL) {
      int at = (int)i, place = at / (int)n, lane = at % (int)n;
      int top = place / (int)q * SH - PH, left = place % (int)q * SW - PW;
      float best = 0;
      int tap = -1;
      for (int k = 0; k < K; k++)
        for (int l = 0; l < L; l++) {
          int row = top + k * DH, column = left + l * DW;
          if (row < 0 || row >= h || column < 0 || column >= w) continue;
          float v = image[(row * w + column) * n + lane];
          if (tap < 0 || v > best || v != v) { best = v; tap = k * L + l; }
        }
      y[c * p * q * n + i] = best;
      winner[c * p * q * n + i] = (WINNER)tap;
    }
  }
}

extern "C" __global__ void backward(
    const float* grad, const WINNER* winner, float* d_x, Long channels, Long h, Long w, Long n, Long p, Long q) {
  for (Long c = blockIdx.y; c < channels; c += gridDim.y) {
    Long out = c * p * q * n;
    for (Long i = HERE; i < h * w * n; i += ALL) {
      int at = (int)i, place = at / (int)n, lane = at % (int)n;
      int row = place / (int)w + PH, column = place % (int)w + PW;
      float sum = 0;
      for (int k = 0; k < K; k++) {
        int down = row - k * DH;
        if (down < 0 || down % SH || down / SH >= p) continue;
        for (int l = 0; l < L; l++) {
          int across = column - l * DW;
          if (across < 0 || across % SW || across / SW >= q) continue;
          Long from = out + ((down / SH) * q + across / SW) * n + lane;
          if (winner[from] == k * L + l) sum += grad[from];
        }
      }
      d_x[c * h * w * n + i] = sum;
    }
  }
}
"""


def max_pool2d(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """As lenetcli.kernels.pool.max_pool2d."""
    if x.dtype is not FLOAT or not x.size or x.size > LARGEST:
        return reference.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    n, c, h, w = x.shape
    p, q = (extent(s, kernel[d], stride[d], padding[d], dilation[d], ceil_mode) for d, s in enumerate((h, w)))
    image = stored(x)
    y, winner = empty((c, p, q, n)), empty((c, p, q, n), np.uint8 if kernel[0] * kernel[1] <= 256 else np.int32)
    sizes = _sizes(kernel, stride, padding, dilation)
    launch(SOURCE, "forward", _grid(p * q * n, c), (image, y, winner, c, h, w, n, p, q), **sizes)
    return logical(y), logical(winner)


def max_pool2d_backward(
    grad: Array, winner: Array, image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """As lenetcli.kernels.pool.max_pool2d_backward."""
    n, c, p, q = grad.shape
    (h, w), kind = image, np.uint8 if kernel[0] * kernel[1] <= 256 else np.int32
    if grad.dtype is not FLOAT or not grad.size or n * c * h * w > LARGEST or winner.dtype != kind:
        return reference.max_pool2d_backward(grad, winner, image, kernel, stride, padding, dilation)
    d_y, won = stored(grad), stored(winner)
    d_x = empty((c, h, w, n))
    sizes = _sizes(kernel, stride, padding, dilation)
    launch(SOURCE, "backward", _grid(h * w * n, c), (d_y, won, d_x, c, h, w, n, p, q), **sizes)
    return logical(d_x)


def _grid(elements: int, rows: int) -> tuple[int, int]:
    return blocks(elements), min(rows, 2**15)


def _sizes(kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> dict[str, Any]:
    winner = "uint8" if kernel[0] * kernel[1] <= 256 else "int"
    return {**geometry(kernel, stride, padding, dilation), "WINNER": winner}
