"""The mean negative log-likelihood of rows of log-probabilities.

    y = -sum over rows with target != ignore of log_p[n, target[n]] / their count

A target that is no class makes the result NaN. Whether there is one is asked only where a result is NaN; never on a
device, which would have to be waited for.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.softmax import log_softmax, log_softmax_backward
from lenetcli.kernels.sums import sum_over


def nll_mean(log_p: Array, target: Array, ignore: int) -> tuple[Array, Array]:
    """log_p (N, C), target (N,) integers -> the mean and the count, both of no dimensions and of log_p's type."""
    kept, sound = _counted(log_p, target, ignore)
    picked = log_p[np.arange(len(target), like=target), np.where(sound, target, 0)]
    values = np.where(kept, np.where(sound, -picked, log_p.dtype.type(np.nan)), log_p.dtype.type(0))
    count = kept.sum().astype(log_p.dtype)
    return sum_over(values) / count, count


def nll_mean_backward(grad: Array, log_p: Array, target: Array, ignore: int, count: Array) -> Array:
    """grad of no dimensions -> (N, C)."""
    kept, sound = _counted(log_p, target, ignore)
    d_log_p = np.zeros_like(log_p)
    share = np.where(kept & sound, -grad / count, grad.dtype.type(0))
    d_log_p[np.arange(len(target), like=target), np.where(sound, target, 0)] = share
    return d_log_p


def cross_entropy(x: Array, target: Array, ignore: int) -> tuple[Array, Array, Array]:
    """`nll_mean` of `log_softmax` of x (N, C): the mean, the count, and the log-probabilities."""
    log_p = log_softmax(x, 1)
    return *nll_mean(log_p, target, ignore), log_p


def cross_entropy_backward(grad: Array, log_p: Array, target: Array, ignore: int, count: Array) -> Array:
    """grad of no dimensions -> (N, C)."""
    return log_softmax_backward(nll_mean_backward(grad, log_p, target, ignore, count), log_p, 1)


def _counted(log_p: Array, target: Array, ignore: int) -> tuple[Array, Array]:
    """Which targets count, and which are classes."""
    return target != ignore, (target >= 0) & (target < log_p.shape[1])
