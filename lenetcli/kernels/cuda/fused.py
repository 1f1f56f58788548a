"""Convolution with relu and 2x2 max-pooling behind it as one kernel, y = max_pool(relu(conv(x))).

A thread has one image and one place of y, and computes four places of the convolution for some output channels;
backward goes only where somebody won. `winner` is (O, P / 2, Q / 2, N): 0 to 3, or 4 where nothing is above zero.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels import fused as reference
from lenetcli.kernels.cuda.program import FLOAT, LARGEST, MANY, blocks, empty, launch, stored
from lenetcli.kernels.layout import Array, logical
from lenetcli.kernels.window import Pair

__all__ = ["conv_relu_pool", "conv_relu_pool_backward"]

WEIGHTS = 54  # sums that a thread of the weight gradient keeps

FUSED = """
extern "C" __global__ void forward(
    const float* x, const float* weight, const float* bias, float* y, uint8* winner,
    Long outputs, Long h, Long w, Long n, Long p, Long q) {
  Long length = p * q * n;
  int first = blockIdx.y * SOME;
  for (Long i = HERE; i < length; i += ALL) {
    int at = (int)i, place = at / (int)n, lane = at % (int)n;
    int top = place / (int)q * 2 - PH, left = place % (int)q * 2 - PW;
    float sum[SOME][4] = {};
    for (int c = 0; c < C; c++) {
      float patch[K + 1][K + 1];
      #pragma unroll
      for (int k = 0; k <= K; k++)
        #pragma unroll
        for (int l = 0; l <= K; l++) {
          int row = top + k, column = left + l;
          bool inside = (PH == 0 || (row >= 0 && row < h)) && (PW == 0 || (column >= 0 && column < w));
          patch[k][l] = inside ? x[((c * h + row) * w + column) * n + lane] : 0;
        }
      #pragma unroll
      for (int j = 0; j < SOME; j++) {
        if (first + j >= outputs) break;
        const float* filter = weight + ((Long)(first + j) * C + c) * K * K;
        #pragma unroll
        for (int k = 0; k < K; k++)
          #pragma unroll
          for (int l = 0; l < K; l++) {
            float v = filter[k * K + l];
            sum[j][0] += patch[k][l] * v;
            sum[j][1] += patch[k][l + 1] * v;
            sum[j][2] += patch[k + 1][l] * v;
            sum[j][3] += patch[k + 1][l + 1] * v;
          }
      }
    }
    #pragma unroll
    for (int j = 0; j < SOME; j++) {
      if (first + j >= outputs) break;
      float best = sum[j][0];
      int tap = 0;
      #pragma unroll
      for (int t = 1; t < 4; t++)
        if (sum[j][t] > best || sum[j][t] != sum[j][t]) { best = sum[j][t]; tap = t; }
      best += bias ? bias[first + j] : 0;
      Long to = (first + j) * length + i;
      y[to] = best <= 0 ? 0 : best;
      winner[to] = best <= 0 ? 4 : tap;
    }
  }
}

// d_x: of the windows of y that a pixel lies in, those whose winner used it
extern "C" __global__ void input_grad(
    const float* grad, const uint8* winner, const float* weight, float* d_x,
    Long outputs, Long h, Long w, Long n, Long p, Long q) {
  int first = blockIdx.y * SOME;
  for (Long i = HERE; i < h * w * n; i += ALL) {
    int at = (int)i, place = at / (int)n, lane = at % (int)n;
    int row = place / (int)w + PH, column = place % (int)w + PW;
    float sum[SOME] = {};
    int up = row - K + 1 < 0 ? 0 : (row - K + 1) / 2, down = row / 2 < p ? row / 2 : (int)p - 1;
    int left = column - K + 1 < 0 ? 0 : (column - K + 1) / 2, right = column / 2 < q ? column / 2 : (int)q - 1;
    for (int o = 0; o < outputs; o++)
      for (int y = up; y <= down; y++)
        for (int z = left; z <= right; z++) {
          Long from = ((o * p + y) * q + z) * n + lane;
          int tap = winner[from];
          int k = row - 2 * y - tap / 2, l = column - 2 * z - tap % 2;
          if (tap > 3 || k < 0 || k >= K || l < 0 || l >= K) continue;
          float g = grad[from];
          #pragma unroll
          for (int j = 0; j < SOME; j++)
            if (first + j < C) sum[j] += g * weight[((o * C + first + j) * K + k) * K + l];
        }
    #pragma unroll
    for (int j = 0; j < SOME; j++)
      if (first + j < C) d_x[(first + j) * h * w * n + i] = sum[j];
  }
}

// sums (chunks, O, C K K + 1): the gradient of the weights and, at the end, of the bias, of each chunk of places
extern "C" __global__ void weight_grad(
    const float* grad, const uint8* winner, const float* x, float* sums,
    Long outputs, Long h, Long w, Long n, Long p, Long q) {
  __shared__ float parts[BLOCK / 32];
  Long o = blockIdx.y, length = p * q * n;
  int first = blockIdx.z * SOME;
  float sum[SOME][K][K] = {}, total = 0;
  for (Long i = HERE; i < length; i += ALL) {
    int tap = winner[o * length + i];
    if (tap > 3) continue;
    float g = grad[o * length + i];
    int at = (int)i, place = at / (int)n, lane = at % (int)n;
    int top = place / (int)q * 2 + tap / 2 - PH, left = place % (int)q * 2 + tap % 2 - PW;
    total += g;
    #pragma unroll
    for (int j = 0; j < SOME; j++) {
      if (first + j >= C) break;
      #pragma unroll
      for (int k = 0; k < K; k++)
        #pragma unroll
        for (int l = 0; l < K; l++) {
          int row = top + k, column = left + l;
          bool inside = (PH == 0 || (row >= 0 && row < h)) && (PW == 0 || (column >= 0 && column < w));
          if (inside) sum[j][k][l] += g * x[(((first + j) * h + row) * w + column) * n + lane];
        }
    }
  }
  float* mine = sums + (blockIdx.x * outputs + o) * (C * K * K + 1);
  #pragma unroll
  for (int s = 0; s <= SOME * K * K; s++) {
    int j = s / (K * K);
    if (s < SOME * K * K ? first + j >= C : blockIdx.z > 0) continue;
    float v = warp_sum(s < SOME * K * K ? sum[j < SOME ? j : 0][s / K % K][s % K] : total);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int other = 1; other < BLOCK / 32; other++) v += parts[other];
      mine[s < SOME * K * K ? first * K * K + s : C * K * K] = v;
    }
    __syncthreads();
  }
}

extern "C" __global__ void collect(
    const float* sums, float* d_weight, float* d_bias, Long outputs, Long length, Long chunks) {
  for (Long i = HERE; i < outputs * (length + 1); i += ALL) {
    float sum = 0;
    for (Long j = 0; j < chunks; j++) sum += sums[j * outputs * (length + 1) + i];
    Long o = i / (length + 1), at = i % (length + 1);
    if (at < length) d_weight[o * length + at] = sum;
    else d_bias[o] = sum;
  }
}
"""


def conv_relu_pool(x: Array, weight: Array, bias: Array | None, padding: Pair) -> tuple[Array, Array]:
    """As lenetcli.kernels.fused.conv_relu_pool, with winners of this file's own order."""
    n, c, h, w = x.shape
    o, _, k, _ = weight.shape
    p, q = (h + 2 * padding[0] - k + 1) // 2, (w + 2 * padding[1] - k + 1) // 2
    if not (_takes(x, weight) and p * q * n):
        return reference.conv_relu_pool(x, weight, bias, padding)
    image = stored(x)
    y, winner = empty((o, p, q, n)), empty((o, p, q, n), np.uint8)
    some = 8 if blocks(p * q * n) * -(-o // 8) >= MANY else 4
    launch(
        FUSED, "forward", (blocks(p * q * n), -(-o // some)),
        (image, _row_order(weight), bias, y, winner, o, h, w, n, p, q),
        C=c, K=k, PH=padding[0], PW=padding[1], SOME=some,
    )  # fmt: skip
    return logical(y), winner


def conv_relu_pool_backward(
    grad: Array, x: Array, weight: Array, winner: Array, padding: Pair, need_x: bool, need_weight: bool = True
) -> tuple[Array | None, Array | None, Array | None]:
    """As lenetcli.kernels.fused.conv_relu_pool_backward."""
    n, c, h, w = x.shape
    o, _, k, _ = weight.shape
    if winner.ndim != 4:
        return reference.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x, need_weight)
    _, p, q, _ = winner.shape
    d_y, image, filters = stored(grad), stored(x), _row_order(weight)
    sizes = {"C": c, "K": k, "PH": padding[0], "PW": padding[1]}
    d_x = None
    if need_x:
        d_x = empty(image.shape)
        some = min(c, 8)
        grid = blocks(h * w * n), -(-c // some)
        launch(FUSED, "input_grad", grid, (d_y, winner, filters, d_x, o, h, w, n, p, q), **sizes, SOME=some)
    if not need_weight:
        return None if d_x is None else logical(d_x), None, None
    some = max(1, min(c, WEIGHTS // (k * k)))
    parts = -(-c // some)
    chunks = max(1, min(blocks(p * q * n), MANY // (o * parts)))
    length = c * k * k
    sums, d_weight, d_bias = empty((chunks, o, length + 1)), empty(weight.shape), empty((o,))
    sizes["SOME"] = some
    launch(FUSED, "weight_grad", (chunks, o, parts), (d_y, winner, image, sums, o, h, w, n, p, q), **sizes)
    launch(FUSED, "collect", (blocks(o * (length + 1)),), (sums, d_weight, d_bias, o, length, chunks), **sizes)
    return None if d_x is None else logical(d_x), d_weight, d_bias


def _row_order(weight: Array) -> Array:
    return weight if weight.flags.c_contiguous else weight.copy()


def _takes(x: Array, weight: Array) -> bool:
    return x.dtype is FLOAT and weight.dtype is FLOAT and x.size // x.shape[1] <= LARGEST
