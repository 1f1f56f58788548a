"""The training steps of some nets in JAX, compiled as a whole: what a user of JAX on a CPU would write."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from work import Piece

INSTALLED = importlib.util.find_spec("jax") is not None
Weights = list[tuple[Any, Any]]


def lenet(batch: int) -> Piece:
    """The seed net."""
    import jax
    from jax import lax

    def forward(weights: Weights, x: Any) -> Any:
        for weight, bias in weights[:2]:
            x = jax.nn.relu(lax.conv(x, weight, (1, 1), "VALID") + bias[:, None, None])
            x = lax.reduce_window(x, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return _dense(weights[2:], x.reshape(len(x), -1))

    return _step(forward, [(6, 1, 3, 3), (16, 6, 3, 3), (120, 576), (84, 120), (10, 84)], (batch, 1, 32, 32))


def mlp(batch: int) -> Piece:
    """784-512-512-10."""
    return _step(_dense, [(512, 784), (512, 512), (10, 512)], (batch, 784))


def _dense(weights: Weights, x: Any) -> Any:
    import jax

    for number, (weight, bias) in enumerate(weights, 1):
        x = x @ weight.T + bias
        if number < len(weights):
            x = jax.nn.relu(x)
    return x


def _step(forward: Callable[[Weights, Any], Any], shapes: list[tuple[int, ...]], shape: tuple[int, ...]) -> Piece:
    import jax
    from jax import numpy as jnp

    random = np.random.default_rng(0)
    weights = [(jnp.asarray(0.05 * random.standard_normal(s, np.float32)), jnp.zeros(s[0])) for s in shapes]
    momenta = jax.tree.map(jnp.zeros_like, weights)
    x, y = jnp.asarray(random.standard_normal(shape, np.float32)), jnp.asarray(random.integers(0, 10, shape[0]))

    def loss_of(weights: Weights) -> Any:
        scores = jax.nn.log_softmax(forward(weights, x))
        return -scores[jnp.arange(len(y)), y].mean()

    @jax.jit
    def update(weights: Weights, momenta: Weights) -> tuple[Weights, Weights, Any]:
        loss, grads = jax.value_and_grad(loss_of)(weights)
        momenta = jax.tree.map(lambda m, g: 0.9 * m + g, momenta, grads)
        return jax.tree.map(lambda w, m: w - 0.01 * m, weights, momenta), momenta, loss

    state: list[Any] = [weights, momenta]

    def step() -> None:
        *state[:], loss = update(*state)
        loss.block_until_ready()

    return step
