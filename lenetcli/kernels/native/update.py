"""Update rules over many parameters in one call (update.h).

What the kernels were not made for is the reference's: parameters whose arrays lie in different memory orders, groups of
other types, and groups with a first step, which makes the state, so that a run keeps the bits that it always had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lenetcli.kernels import update as reference
from lenetcli.kernels.layout import Array
from lenetcli.kernels.native import _native

__all__ = ["adadelta", "adagrad", "adam", "adamax", "nadam", "radam", "rmsprop", "rprop", "sgd"]


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
    if max_exp_avg_sqs is not None:
        numbers = _each(steps, lambda t: (*_averages(constants), *_corrected(constants, t)))
        state = [exp_avgs, exp_avg_sqs, max_exp_avg_sqs]
        left = _native.rule("amsgrad", params, grads, objective, numbers, state)
    elif 1.0 not in steps:
        left = _native.adam(params, grads, objective, constants, steps, exp_avgs, exp_avg_sqs)
    if left:
        reference.rest(
            reference.adam, left, params, grads, objective, constants, steps, exp_avgs, exp_avg_sqs, max_exp_avg_sqs
        )


Numbers = tuple[float, ...]
Lists = list[Array]


def _each(steps: list[float], numbers: Callable[[float], Numbers]) -> list[Numbers]:
    """What the kernel takes for each parameter: alike where their numbers of steps are."""
    known = {t: numbers(t) for t in set(steps)}
    return [known[t] for t in steps]


def _averages(c: reference.Adam | reference.NAdam) -> Numbers:
    return 1 - c.beta1, c.beta2, 1 - c.beta2, c.eps


def _corrected(c: reference.Adam, t: float) -> Numbers:
    return c.lr / (1 - c.beta1**t), (1 - c.beta2**t) ** 0.5


def _run(name: str, rule: reference.Rule, numbers: Sequence[Numbers], params: Lists, *others: Any) -> None:
    """The kernel where it fits; the reference for parameters that are left."""
    grads, objective, _, _, *state = others
    left = _native.rule(name, params, grads, objective, numbers, [entry for entry in state if entry is not None])
    if left:
        reference.rest(rule, left, params, *others)


def adamax(
    params: Lists,
    grads: Lists,
    objective: reference.Objective,
    constants: reference.Adam,
    steps: list[float],
    exp_avgs: Lists,
    exp_infs: Lists,
) -> None:
    """As lenetcli.kernels.update.adamax."""
    c = constants
    numbers = _each(steps, lambda t: (1 - c.beta1, c.beta2, c.eps, c.lr / (1 - c.beta1**t)))
    _run("adamax", reference.adamax, numbers, params, grads, objective, constants, steps, exp_avgs, exp_infs)


def nadam(
    params: Lists,
    grads: Lists,
    objective: reference.Objective,
    constants: reference.NAdam,
    steps: list[float],
    mu_products: Lists,
    exp_avgs: Lists,
    exp_avg_sqs: Lists,
) -> None:
    """As lenetcli.kernels.update.nadam."""
    c = constants
    numbers, products = [], []
    for t, before in zip(steps, mu_products):
        mu, mu_next = (c.beta1 * (1 - 0.5 * 0.96 ** (step * c.momentum_decay)) for step in (t, t + 1))
        products.append(before * mu)
        product = float(products[-1])
        rates = c.lr * (1 - mu) / (1 - product), c.lr * mu_next / (1 - product * mu_next)
        numbers.append((*_averages(c), 1 - c.beta2**t, *rates))
    left = _native.rule("nadam", params, grads, objective, numbers, [exp_avgs, exp_avg_sqs])
    for i in set(range(len(params))) - set(left):
        mu_products[i][...] = products[i]
    if left:
        reference.rest(
            reference.nadam, left, params, grads, objective, constants, steps, mu_products, exp_avgs, exp_avg_sqs
        )


def radam(
    params: Lists,
    grads: Lists,
    objective: reference.Objective,
    constants: reference.Adam,
    steps: list[float],
    exp_avgs: Lists,
    exp_avg_sqs: Lists,
) -> None:
    """As lenetcli.kernels.update.radam."""
    c = constants

    def rate(t: float) -> Numbers:
        lr, correction, rho_inf = c.lr / (1 - c.beta1**t), 1 - c.beta2**t, 2 / (1 - c.beta2) - 1
        rho = rho_inf - 2 * t * c.beta2**t / correction
        if rho <= 5:
            return lr, 0
        r_squared = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        return lr * (r_squared * correction) ** 0.5, 1

    numbers = _each(steps, lambda t: (*_averages(c), *rate(t)))
    _run("radam", reference.radam, numbers, params, grads, objective, constants, steps, exp_avgs, exp_avg_sqs)


def rmsprop(
    params: Lists,
    grads: Lists,
    objective: reference.Objective,
    constants: reference.RMSprop,
    steps: list[float],
    square_avgs: Lists,
    buffers: Lists | None,
    grad_avgs: Lists | None,
) -> None:
    """As lenetcli.kernels.update.rmsprop."""
    c = constants
    name = "rmsprop" + ("" if grad_avgs is None else "_centred") + ("" if buffers is None else "_momentum")
    numbers = [(c.alpha, 1 - c.alpha, c.eps, c.lr, c.momentum)] * len(params)
    _run(name, reference.rmsprop, numbers, params, grads, objective, constants, steps, square_avgs, buffers, grad_avgs)


def adagrad(
    params: Lists,
    grads: Lists,
    objective: reference.Objective,
    constants: reference.Adagrad,
    steps: list[float],
    sums: Lists,
) -> None:
    """As lenetcli.kernels.update.adagrad."""
    c = constants
    numbers = _each(steps, lambda t: (c.lr / (1 + (t - 1) * c.lr_decay), c.eps))
    _run("adagrad", reference.adagrad, numbers, params, grads, objective, constants, steps, sums)


def adadelta(
    params: Lists,
    grads: Lists,
    objective: reference.Objective,
    constants: reference.Adadelta,
    steps: list[float],
    square_avgs: Lists,
    acc_deltas: Lists,
) -> None:
    """As lenetcli.kernels.update.adadelta."""
    c = constants
    numbers = [(c.lr, c.rho, 1 - c.rho, c.eps)] * len(params)
    _run("adadelta", reference.adadelta, numbers, params, grads, objective, constants, steps, square_avgs, acc_deltas)


def rprop(
    params: Lists,
    grads: Lists,
    objective: reference.Objective,
    constants: reference.Rprop,
    steps: list[float],
    previous: Lists,
    step_sizes: Lists,
) -> None:
    """As lenetcli.kernels.update.rprop."""
    numbers = [tuple(constants)] * len(params)
    _run("rprop", reference.rprop, numbers, params, grads, objective, constants, steps, previous, step_sizes)
