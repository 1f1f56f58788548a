"""Recorded chains of layers: to the bit what the tape computes, whatever happens between the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.autograd.composite import use
from lenetcli.config.catalogue import ROLES
from lenetcli.kernels import dispatch, native, threads
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn import recorded
from tests.nn.interference import INTERFERENCE
from tests.nn.recording import (
    Act,
    batch,
    bits,
    dropped,
    graph,
    lenet_,
    normed,
    nothing,
    residual,
    same,
    sgd,
    smooth,
    train,
)

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

Pair = tuple[nn.Module, Any]  # a model and its optimizer
Bits = list[bytes]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Recordings of the second call already."""
    monkeypatch.setattr(recorded, "AFTER", 1)
    with dispatch.force("native"):
        yield


@pytest.mark.parametrize("size", [1, 2, 7, 16, 33])
@pytest.mark.parametrize("make", [lenet_, normed, dropped, residual, graph, smooth])
def test_training_is_recorded_and_comes_to_the_same_bits(make: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if make is normed and size == 1:
        size = 3  # its second norm has one value a channel of one image
    assert recorded.status(same(monkeypatch, make, size=size)).startswith("recorded: ")


@pytest.mark.parametrize("make", [lenet_, normed, residual, graph])
def test_inference_is_recorded_and_comes_to_the_same_bits(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make().eval()
    train(True, lambda: model, sgd, nothing, 2, 8, monkeypatch)  # so that its statistics are of something
    model.eval()
    for size in (1, 5):
        for seed in range(6):
            with lenet.no_grad():
                y = model(batch(seed, size)[0])
                with use.off():
                    assert bits(y) == bits(model(batch(seed, size)[0]))
            assert not y.requires_grad
        assert recorded.status(model).startswith("recorded: ")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = train(True, lenet_, sgd, nothing, 5, 300, monkeypatch)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(count)
        several, model = train(True, lenet_, sgd, nothing, 5, 300, monkeypatch)
    finally:
        threads.set_num_threads(before)
    assert one == several
    assert recorded.status(model).startswith("recorded: ")


# LBFGS calls a closure, which is no step of the recorded kind; Muon takes matrices alone
@pytest.mark.parametrize("name", sorted(set(ROLES["optimizer"].classes) - {"Muon"}))
def test_every_optimizer_trains_a_recorded_net_as_any_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = getattr(optim, name)
    same(monkeypatch, choose=lambda model: kind(model.parameters(), lr=0.01))


@pytest.mark.parametrize("act", list(INTERFERENCE.values()), ids=list(INTERFERENCE))
def test_interference_changes_nothing(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    same(monkeypatch, act=act, steps=12)


@pytest.mark.parametrize("name", ["evaluation between", "two passes before backward", "backward twice", "accumulation",
                                  "numbers not finite", "a look at the graph"])  # fmt: skip
@pytest.mark.parametrize("make", [normed, dropped, residual, graph])
def test_interference_leaves_running_statistics_and_random_numbers_as_they_would_be(
    make: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same(monkeypatch, make, act=INTERFERENCE[name], steps=10)


def random_chain(random: np.random.Generator) -> tuple[Callable[[], nn.Sequential], tuple[int, ...]]:
    """Layers that are recorded, and a few that are not, in a random order."""
    channels, h, w = (int(v) for v in random.integers((1, 10, 10), (4, 20, 20)))
    shape, layers = (channels, h, w), []

    def add(kind: Any, *args: Any, **kwargs: Any) -> None:
        layers.append((kind, args, kwargs))

    for _ in range(int(random.integers(1, 4))):
        kernel, out = int(random.integers(1, 5)), int(random.choice([1, 3, 8, 16, 33]))
        stride, padding = int(random.choice([1, 1, 1, 1, 2])), int(random.integers(0, 2))
        groups = int(random.choice([1, 1, channels])) if out % channels == 0 else 1
        add(nn.Conv2d, channels, out, kernel, stride, padding, groups=groups, bias=bool(random.integers(2)))
        h, w = ((v + 2 * padding - kernel) // stride + 1 for v in (h, w))
        channels = out
        if random.random() < 0.4:
            add(nn.BatchNorm2d, channels, affine=bool(random.integers(2)))
        elif random.random() < 0.2:
            add(nn.GroupNorm, int(random.choice([1, channels])), channels)
        add(
            [nn.ReLU, nn.ReLU, nn.ReLU, nn.ReLU, nn.SiLU, nn.Tanh, nn.ELU, nn.Softsign, nn.Identity][
                int(random.integers(9))
            ]
        )
        if min(h, w) >= 4:
            size = int(random.choice([2, 2, 3]))
            add([nn.MaxPool2d, nn.MaxPool2d, nn.AvgPool2d][int(random.integers(3))], size, size)
            h, w = h // size, w // size
        if min(h, w) < 5:
            break
    add(nn.Flatten)
    features = channels * h * w
    for width in random.integers(3, 40, int(random.integers(0, 3))).tolist():
        add(nn.Linear, features, width, bias=bool(random.integers(5)))
        if random.random() < 0.3:
            add(nn.BatchNorm1d, width)
        add(nn.ReLU)
        features = width
    add(nn.Linear, features, 4, bias=bool(random.integers(5)))
    return lambda: nn.Sequential(*(kind(*args, **kwargs) for kind, args, kwargs in layers)), shape


def check_random_chain(seed: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Trains a chain both ways; gives whether it was recorded."""
    random = np.random.default_rng(seed)
    make, shape = random_chain(random)
    size = int(random.choice([2, 3, 8, 16, 17]))

    def images(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
        own = np.random.default_rng(1000 * seed + step)
        x = own.standard_normal((size, *shape), np.float32)
        return lenet.from_numpy(logical(stored(x)) if seed % 2 else x), lenet.from_numpy(own.integers(0, 4, size))

    found, model = train(True, make, sgd, images, 6, size, monkeypatch)
    wanted, _ = train(False, make, sgd, images, 6, size, monkeypatch)
    assert found == wanted, f"{model}\n{recorded.status(model)}"
    return recorded.status(model)


@pytest.mark.parametrize("seed", range(40))
def test_random_chains_come_to_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_random_chain(seed, monkeypatch)


def test_most_random_chains_of_layers_that_can_be_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [check_random_chain(seed, monkeypatch) for seed in range(100, 130)]
    assert sum(state.startswith("recorded") for state in states) >= 9, states


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 400))
def test_many_random_chains_come_to_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_random_chain(seed, monkeypatch)
