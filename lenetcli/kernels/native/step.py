"""Optimizer steps over many parameters in one call (step.h)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.kernels import step as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

__all__ = ["adam_steps", "sgd_steps"]

FLOAT = np.dtype(np.float32)


def _takes(*lists: Sequence[Array]) -> bool:
    for arrays in lists:
        for a in arrays:
            if a.dtype is not FLOAT or not a.flags.aligned:
                return False
    return True


def sgd_steps(
    params: list[Array],
    grads: list[Array],
    buffers: list[Array] | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """As lenetcli.kernels.step.sgd_steps."""
    left: Sequence[int] = range(len(params))
    if _takes(params, grads, buffers or ()):
        left = _native.sgd_steps(params, grads, buffers, lr, momentum, 1 - dampening, weight_decay, nesterov, maximize)
    for i in left:  # memory orders that differ
        buffer = None if buffers is None else buffers[i]
        reference.sgd_step(params[i], grads[i], buffer, lr, momentum, dampening, weight_decay, nesterov, maximize)


def adam_steps(
    params: list[Array],
    grads: list[Array],
    exp_avgs: list[Array],
    exp_avg_sqs: list[Array],
    steps: list[float],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """As lenetcli.kernels.step.adam_steps."""
    left: Sequence[int] = range(len(params))
    if _takes(params, grads, exp_avgs, exp_avg_sqs):
        left = _native.adam_steps(
            params,
            grads,
            exp_avgs,
            exp_avg_sqs,
            [lr / (1 - beta1**step) for step in steps],
            [(1 - beta2**step) ** 0.5 for step in steps],
            1 - beta1,
            beta2,
            eps,
            0.0 if decoupled else weight_decay,
            1 - lr * weight_decay if decoupled else 1.0,
            maximize,
        )
    for i in left:  # memory orders that differ
        reference.adam_step(
            params[i], grads[i], exp_avgs[i], exp_avg_sqs[i], None, steps[i],
            lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
        )  # fmt: skip
