"""The update rules of lenetcli/optim over lists of arrays, in place: the reference of their twins.

A rule is called `rule(params, grads, objective, constants, steps, *state)`: lists with one entry a parameter, and what
holds for all of them in two tuples. None stands for a list that the options do without. It changes parameters and
state and leaves the gradients as they are. Arrays of one parameter share a shape; their memory orders may differ.

What a rule does to one parameter is written as its formula: parameter p, gradient g, state under the letters of the
docstrings in lenetcli/optim, number of the step t. Scalars are Python floats, so that results keep the arrays' type.
Products are taken in torch's order (`value * a * b` from the left), so that they overflow and underflow in the same
places, and state is changed in place: `v *= beta; v += x` is v = beta v + x without another array.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from lenetcli.kernels.layout import Array

Rule = Callable[..., None]


class Objective(NamedTuple):
    """What the gradient is taken of, alike for all rules: the sign, and the penalty on weights."""

    maximize: bool
    weight_decay: float  # L2: the gradient is g + weight_decay p
    shrink: float  # decoupled: p shrink before the step; 1 without, as always for SGD


class SGD(NamedTuple):
    lr: float
    momentum: float
    dampening: float
    nesterov: bool


class Adam(NamedTuple):
    """Of Adamax and RAdam, too."""

    lr: float
    beta1: float
    beta2: float
    eps: float


class NAdam(NamedTuple):
    lr: float
    beta1: float
    beta2: float
    eps: float
    momentum_decay: float


class RMSprop(NamedTuple):
    lr: float
    alpha: float
    eps: float
    momentum: float


class Adagrad(NamedTuple):
    lr: float
    lr_decay: float
    eps: float


class Adadelta(NamedTuple):
    lr: float
    rho: float
    eps: float


class ASGD(NamedTuple):
    lr: float
    lambd: float
    alpha: float
    t0: float


class Rprop(NamedTuple):
    eta_minus: float
    eta_plus: float
    smallest: float
    largest: float


def _over_lists(formula: Callable[..., None]) -> Rule:
    """The rule over lists of what a formula does to one parameter."""

    @functools.wraps(formula)
    def rule(params: list[Array], grads: list[Array], objective: Objective, constants: Any, *state: Any) -> None:
        entries = (repeat(None) if entry is None else entry for entry in state)
        plain = objective == (False, 0, 1)
        with np.errstate(all="ignore"):  # overflow and NaN are the result, as in torch
            for p, g, *own in zip(params, grads, *entries):
                formula(p, g if plain else _descended(p, g, objective), constants, *own)

    return rule


def _descended(p: Array, g: Array, objective: Objective) -> Array:
    """The gradient of what is minimised; decoupled decay shrinks the parameter instead."""
    maximize, weight_decay, shrink = objective
    if shrink != 1:
        p *= shrink
    if weight_decay == 0:  # not 0 p: that would be NaN where p is infinite
        return -g if maximize else g
    return weight_decay * p - g if maximize else weight_decay * p + g


def lerp_(start: Array, end: Array, weight: float) -> None:
    """start = (1 - weight) start + weight end, from the nearer end as torch.lerp does."""
    if weight < 0.5:
        start += (end - start) * weight
    else:
        np.subtract(end, (end - start) * (1 - weight), out=start)


@_over_lists
def sgd(p: Array, g: Array, c: SGD, first: bool, b: Array | None) -> None:
    if b is not None:
        b *= c.momentum
        b += g if first or not c.dampening else (1 - c.dampening) * g
        g = g + c.momentum * b if c.nesterov else b
    p -= c.lr * g


@_over_lists
def adam(p: Array, g: Array, c: Adam, t: float, m: Array, v: Array, largest: Array | None) -> None:
    lerp_(m, g, 1 - c.beta1)  # m = beta1 * m + (1 - beta1) * g
    v *= c.beta2
    v += (1 - c.beta2) * g * g
    if largest is not None:
        v = np.maximum(largest, v, out=largest)
    p -= c.lr / (1 - c.beta1**t) * m / (np.sqrt(v) / (1 - c.beta2**t) ** 0.5 + c.eps)


@_over_lists
def adamax(p: Array, g: Array, c: Adam, t: float, m: Array, u: Array) -> None:
    lerp_(m, g, 1 - c.beta1)  # m = beta1 * m + (1 - beta1) * g
    np.maximum(c.beta2 * u, np.abs(g) + c.eps, out=u)
    p -= c.lr / (1 - c.beta1**t) * m / u


@_over_lists
def nadam(p: Array, g: Array, c: NAdam, t: float, mu_product: Array, m: Array, v: Array) -> None:
    mu, mu_next = (c.beta1 * (1 - 0.5 * 0.96 ** (step * c.momentum_decay)) for step in (t, t + 1))
    mu_product *= mu
    product = float(mu_product)
    lerp_(m, g, 1 - c.beta1)  # m = beta1 * m + (1 - beta1) * g
    v *= c.beta2
    v += (1 - c.beta2) * g * g
    deviation = np.sqrt(v / (1 - c.beta2**t)) + c.eps
    p -= c.lr * (1 - mu) / (1 - product) * g / deviation
    p -= c.lr * mu_next / (1 - product * mu_next) * m / deviation


@_over_lists
def radam(p: Array, g: Array, c: Adam, t: float, m: Array, v: Array) -> None:
    lerp_(m, g, 1 - c.beta1)  # m = beta1 * m + (1 - beta1) * g
    v *= c.beta2
    v += (1 - c.beta2) * g * g
    lr, correction = c.lr / (1 - c.beta1**t), 1 - c.beta2**t
    rho_inf = 2 / (1 - c.beta2) - 1
    rho = rho_inf - 2 * t * c.beta2**t / correction
    if rho > 5:
        r_squared = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        p -= lr * (r_squared * correction) ** 0.5 * m / (np.sqrt(v) + c.eps)
    else:
        p -= lr * m


@_over_lists
def rmsprop(p: Array, g: Array, c: RMSprop, t: float, v: Array, b: Array | None, a: Array | None) -> None:
    v *= c.alpha
    v += (1 - c.alpha) * g * g
    if a is not None:
        lerp_(a, g, 1 - c.alpha)  # a = alpha * a + (1 - alpha) * g
        v = v - a * a
    if b is None:
        p -= c.lr * g / (np.sqrt(v) + c.eps)
    else:
        b *= c.momentum
        b += g / (np.sqrt(v) + c.eps)
        p -= c.lr * b


@_over_lists
def adagrad(p: Array, g: Array, c: Adagrad, t: float, s: Array) -> None:
    s += g * g
    p -= c.lr / (1 + (t - 1) * c.lr_decay) * g / (np.sqrt(s) + c.eps)


@_over_lists
def adadelta(p: Array, g: Array, c: Adadelta, t: float, v: Array, u: Array) -> None:
    v *= c.rho
    v += (1 - c.rho) * g * g
    d = np.sqrt(u + c.eps) / np.sqrt(v + c.eps) * g
    u *= c.rho
    u += (1 - c.rho) * d * d
    p -= c.lr * d


@_over_lists
def asgd(p: Array, g: Array, c: ASGD, t: float, eta: Array, mu: Array, ax: Array) -> None:
    rate, share = float(eta), float(mu)
    p *= 1 - c.lambd * rate
    p -= rate * g
    if share == 1:
        ax[...] = p
    else:
        ax += (p - ax) * share
    eta[...] = c.lr / (1 + c.lambd * c.lr * t) ** c.alpha
    mu[...] = 1 / max(1.0, t - c.t0)


@_over_lists
def rprop(p: Array, g: Array, c: Rprop, t: float, previous: Array, s: Array) -> None:
    agreement, number = previous * g, s.dtype.type
    turned = agreement < 0
    s *= np.where(agreement > 0, number(c.eta_plus), np.where(turned, number(c.eta_minus), number(1)))
    np.minimum(np.maximum(s, c.smallest), c.largest, out=s)
    g = np.where(turned, number(0), g)
    previous[...] = g
    p -= np.subtract(g > 0, g < 0, dtype=number) * s  # the sign, which is 0 of NaN as in torch: the parameter stays


def rest(rule: Rule, left: Sequence[int], params: list[Array], grads: list[Array], *others: Any) -> None:
    """The rule for some of the parameters: those that a twin was not made for."""
    objective, constants, *state = others
    chosen = ([entry[i] for i in left] if entry else entry for entry in (params, grads, *state))
    params, grads, *state = chosen
    rule(params, grads, objective, constants, *state)
