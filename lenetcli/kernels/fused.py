"""Convolution, relu and 2x2 max-pooling as one function: the reference of the native kernel that runs them in one pass.

    y = max_pool(relu(conv(x)))

Relu and the maximum may change places, so that a native kernel keeps only the largest of four convolution results, and
which of the four it was: `winner`, row by row from 0 to 3, or 4 where none is above zero and no gradient flows. Winners
are stored by groups of images, (N / group, O, P / 2, Q / 2, group), the last group filled up with 4: groups of up to 16
forward, of any size backward.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.conv import channel_sums, conv2d, conv2d_input_grad, conv2d_weight_grad
from lenetcli.kernels.layout import Array
from lenetcli.kernels.pool import max_pool2d, max_pool2d_backward, of_winners
from lenetcli.kernels.selection import larger
from lenetcli.kernels.window import Pair

ONE, TWO, NONE = (1, 1), (2, 2), (0, 0)


def winner_shape(n: int, o: int, p: int, q: int) -> tuple[int, int, int, int, int]:
    """The shape of `winner` for outputs (N, O, P / 2, Q / 2)."""
    group = max(1, min(n, 16))
    return (n + group - 1) // group, o, p, q, group


def conv_relu_pool(x: Array, weight: Array, bias: Array | None, padding: Pair) -> tuple[Array, Array]:
    """x (N, C, H, W), weight (O, C, K, L), bias (O,) -> y (N, O, P / 2, Q / 2) and winner."""
    positive = larger(0, conv2d(x, weight, bias, ONE, padding, ONE, 1))
    y, taps = max_pool2d(positive, TWO, TWO, NONE, ONE, False)
    groups, *image, group = winner_shape(*y.shape)
    winner = np.full_like(y, 4, np.uint8, shape=(groups * group, *image))
    winner[: len(y)] = np.where(y <= 0, 4, taps)
    return y, winner.reshape(groups, group, *image).transpose(0, 2, 3, 4, 1).copy()


def conv_at_winners(x: Array, weight: Array, bias: Array | None, winner: Array, padding: Pair) -> Array:
    """What conv(x) has at given winners, 0 where there is none: (N, O, P / 2, Q / 2)."""
    return of_winners(conv2d(x, weight, bias, ONE, padding, ONE, 1), taps_of(winner, len(x)), TWO, TWO, NONE, ONE)


def conv_relu_pool_backward(
    grad: Array, x: Array, weight: Array, winner: Array, padding: Pair, need_x: bool, need_weight: bool = True
) -> tuple[Array | None, Array | None, Array | None]:
    """grad (N, O, P / 2, Q / 2) -> gradients of x, and of weight and bias; None unless needed."""
    (h, w), (k, kl) = x.shape[2:], weight.shape[2:]
    image = h + 2 * padding[0] - k + 1, w + 2 * padding[1] - kl + 1
    d_conv = max_pool2d_backward(grad, taps_of(winner, len(grad)), image, TWO, TWO, NONE, ONE)
    return (
        conv2d_input_grad(d_conv, weight, (h, w), ONE, padding, ONE, 1) if need_x else None,
        conv2d_weight_grad(d_conv, x, (k, kl), ONE, padding, ONE, 1) if need_weight else None,
        channel_sums(d_conv) if need_weight else None,
    )


def taps_of(winner: Array, n: int) -> Array:
    """Winners of n images as (N, O, P / 2, Q / 2); those of one group may come without the dimension of groups."""
    grouped = winner if winner.ndim == 5 else winner[None]
    return grouped.transpose(0, 4, 1, 2, 3).reshape(-1, *grouped.shape[1:4])[:n]
