"""Convolution, relu and 2x2 max-pooling as one function: the reference of the native kernel that runs them in one pass.

    y = max_pool(relu(conv(x)))

Relu and the maximum may change places, so that a native kernel keeps only the largest of four convolution results, and
which of the four it was: `winner`, (O, P / 2, Q / 2, N), row by row from 0 to 3, or 4 where none is above zero and no
gradient flows.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.pool import max_pool2d, max_pool2d_backward
from lenetcli.kernels.window import Pair

ONE, TWO, NONE = (1, 1), (2, 2), (0, 0)


def conv_relu_pool(x: Array, weight: Array, bias: Array | None, padding: Pair) -> tuple[Array, Array]:
    """x (N, C, H, W), weight (O, C, K, L), bias (O,) -> y (N, O, P / 2, Q / 2) and winner."""
    positive = np.maximum(conv2d(x, weight, bias, ONE, padding, ONE, 1), 0)
    y, winner = max_pool2d(positive, TWO, TWO, NONE, ONE, False)
    return y, stored(np.where(y <= 0, 4, winner).astype(np.uint8))


def conv_relu_pool_backward(
    grad: Array, x: Array, weight: Array, winner: Array, padding: Pair, need_x: bool
) -> tuple[Array | None, Array, Array]:
    """grad (N, O, P / 2, Q / 2) -> gradients of x (None unless needed), weight and bias."""
    (h, w), (k, kl) = x.shape[2:], weight.shape[2:]
    image = h + 2 * padding[0] - k + 1, w + 2 * padding[1] - kl + 1
    d_conv = max_pool2d_backward(grad, logical(winner), image, TWO, TWO, NONE, ONE)
    return (
        conv2d_input_grad(d_conv, weight, (h, w), ONE, padding, ONE, 1) if need_x else None,
        conv2d_weight_grad(d_conv, x, (k, kl), ONE, padding, ONE, 1),
        d_conv.sum(axis=(0, 2, 3)),
    )
