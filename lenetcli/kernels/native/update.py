"""Update rules over many parameters in one call (update.h).

What the kernels were not made for is the reference's: parameters whose arrays lie in different memory orders, groups of
other types, and groups with a first step, which makes the state, so that a run keeps the bits that it always had.
"""

from __future__ import annotations

from collections.abc import Sequence

from lenetcli.kernels import update as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

__all__ = ["adam", "sgd"]


def sgd(
    params: list[Array],
    grads: list[Array],
    objective: reference.Objective,
    constants: reference.SGD,
    first: list[bool] | None,
    buffers: list[Array] | None,
) -> None:
    """As lenetcli.kernels.update.sgd."""
    left: Sequence[int] = range(len(params))
    if first is None or True not in first:
        left = _native.sgd(params, grads, objective, constants, buffers)
    if left:
        reference.rest(reference.sgd, left, params, grads, objective, constants, first, buffers)


def adam(
    params: list[Array],
    grads: list[Array],
    objective: reference.Objective,
    constants: reference.Adam,
    steps: list[float],
    exp_avgs: list[Array],
    exp_avg_sqs: list[Array],
    max_exp_avg_sqs: list[Array] | None,
) -> None:
    """As lenetcli.kernels.update.adam."""
    left: Sequence[int] = range(len(params))
    if max_exp_avg_sqs is None and 1.0 not in steps:
        left = _native.adam(params, grads, objective, constants, steps, exp_avgs, exp_avg_sqs)
    if left:
        state = steps, exp_avgs, exp_avg_sqs, max_exp_avg_sqs
        reference.rest(reference.adam, left, params, grads, objective, constants, *state)
