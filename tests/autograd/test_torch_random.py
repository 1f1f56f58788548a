"""torch's own random numbers: whatever draws gives what torch gives after the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd.random import Generator, default_generator, drawing_from
from lenetcli.autograd.torch_random import TorchGenerator

Draw = Callable[[Any], Any]

EXACT: dict[str, Draw] = {
    "rand": lambda t: t.cat([t.rand(3, 5).flatten(), t.rand(7)]),
    "rand of float64": lambda t: t.rand(9, dtype=t.float64),
    "randint": lambda t: t.cat([t.randint(10, (9,)), t.randint(-5, 2**40, (3,)), t.randint(2**30, (4,))]),
    "randperm": lambda t: t.cat([t.randperm(n) for n in (0, 1, 2, 100)]),
    "random_": lambda t: t.cat(
        [t.empty(4, dtype=kind).random_().double() for kind in (t.int64, t.int32, t.uint8, t.float32, t.float64)]
    ),
    "random_ with limits": lambda t: t.cat([t.empty(4).random_(5, 9), t.empty(4).random_(3)]),
    "uniform_": lambda t: t.empty(99).uniform_(-0.3, 0.7),
    "bernoulli": lambda t: t.cat([t.empty(50).bernoulli_(0.3), t.bernoulli(t.full((50,), 0.4))]),
    "bernoulli of a number": lambda t: t.bernoulli(t.empty(50), 0.3),
    "bernoulli, a method": lambda t: t.cat([t.full((50,), 0.4).bernoulli(), t.full((50,), 0.4).bernoulli(0.9)]),
    "multinomial, a method": lambda t: t.rand(6, 7).multinomial(3).flatten(),
    "bernoulli of float64": lambda t: t.bernoulli(t.full((50,), 0.4, dtype=t.float64)),
    "multinomial": lambda t: t.cat(
        [
            t.multinomial(t.rand(6, 7), n, again).flatten()
            for n, again in ((3, False), (30, True), (1, True), (1, False))
        ]
    ),
    "dropout": lambda t: t.nn.functional.dropout(t.ones(5, 6, 2, 3), 0.3),
    "dropout of channels": lambda t: t.nn.functional.dropout2d(t.ones(5, 6, 2, 3), 0.3),
    "kaiming_uniform_": lambda t: t.nn.init.kaiming_uniform_(t.empty(20, 30), a=0.2),
    "Linear": lambda t: parameters(t.nn.Linear(3, 4)),
    "Conv2d": lambda t: parameters(t.nn.Conv2d(4, 8, 3, groups=2)),
    "ConvTranspose2d": lambda t: parameters(t.nn.ConvTranspose2d(3, 8, 3)),
    "Bilinear": lambda t: parameters(t.nn.Bilinear(2, 3, 4)),
    "LSTM": lambda t: parameters(t.nn.LSTM(3, 4, 2, bidirectional=True)),
}
ROUNDED: dict[str, Draw] = {
    "randn": lambda t: t.cat([t.randn(5), t.randn(3), t.rand(2), t.randn(16), t.randn(103)]),
    "randn of float64": lambda t: t.randn(103, dtype=t.float64),
    "normal": lambda t: t.cat([t.normal(0.0, 2.0, (7,)), t.normal(t.arange(20.0), t.ones(20))]),
    "normal_": lambda t: t.empty(20).normal_(2.0, 3.0),
    "exponential_": lambda t: t.empty(20).exponential_(2.0),
    "alpha_dropout": lambda t: t.nn.functional.alpha_dropout(t.ones(5, 6), 0.3, True),
    "gumbel_softmax": lambda t: t.nn.functional.gumbel_softmax(t.linspace(-1, 1, 60).reshape(3, 20), 0.7),
    "gumbel_softmax, hard": lambda t: t.nn.functional.gumbel_softmax(t.ones(4, 3, 2), hard=True, dim=1),
    "rrelu": lambda t: t.nn.functional.rrelu(t.linspace(-1, 1, 50), training=True),
    "trunc_normal_": lambda t: t.nn.init.trunc_normal_(t.empty(20, 30)),
    "orthogonal_": lambda t: t.cat([t.nn.init.orthogonal_(t.empty(*s)).flatten() for s in ((5, 3), (3, 5))]),
    "sparse_": lambda t: t.nn.init.sparse_(t.empty(20, 30), 0.2),
    "Embedding": lambda t: parameters(t.nn.Embedding(9, 3)),
}


def parameters(module: Any) -> Any:
    found = [p.detach().flatten() for p in module.parameters()]
    return (lenet if isinstance(found[0], lenet.Tensor) else __import__("torch")).cat(found)


@pytest.fixture
def numbers() -> Iterator[Generator]:
    with drawing_from(TorchGenerator().manual_seed(7)) as generator:
        yield generator


@pytest.mark.parametrize("name", [*EXACT, *ROUNDED])
def test_the_numbers_after_a_seed_are_torchs(torch: Any, numbers: Generator, name: str) -> None:
    draw = (EXACT | ROUNDED)[name]
    torch.manual_seed(7)
    for _ in range(2):  # the second draw tells whether the first took as many numbers
        ours, theirs = (np.asarray(draw(t).detach()) for t in (lenet, torch))
        assert ours.dtype == theirs.dtype
        if name in EXACT:
            np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_allclose(ours, theirs, 2e-6, 2e-6)


def test_stored_numbers_of_torch(numbers: Generator) -> None:
    """What torch 2.13 printed: for machines without it."""
    lenet.manual_seed(5)
    np.testing.assert_allclose(lenet.rand(2).numpy(), [0.8302519, 0.1261109], 1e-6)
    assert lenet.randperm(6).tolist() == [1, 0, 4, 2, 3, 5]
    lenet.manual_seed(5)
    np.testing.assert_allclose(lenet.randn(5).numpy(), [-0.4868, -0.6038, -0.5581, 0.6675, -0.1974], 1e-3)


def test_a_state_goes_back_to_where_it_was(numbers: Generator) -> None:
    lenet.randn(3)  # leaves half of a pair
    state = default_generator().get_state()
    before = lenet.cat([lenet.randn(4), lenet.rand(5)])
    default_generator().set_state(state)
    assert lenet.equal(before, lenet.cat([lenet.randn(4), lenet.rand(5)]))
    for wrong in ({}, {"seed": 1, "mt19937": {"key": [1], "pos": 0, "spare": None}}, Generator().get_state()):
        with pytest.raises(ValueError, match="not the state of a random stream"):
            default_generator().set_state(wrong)
    assert Generator().get_state() == Generator().manual_seed(0).get_state()
