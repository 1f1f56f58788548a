"""NumPy's integers and floats wherever a Python number may stand: sizes, axes, kernel sizes, factors, indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from tests.nn.sample import LayerSample, collected, leaves
from tests.ops.sample import Sample, all_samples, resolve

INTEGERS = [np.int64, np.int32, np.uint8]
LAYERS = collected("SAMPLES")
Call = Callable[[Callable[[int], Any]], Any]  # takes what makes the integers


def images(*shape: int) -> Any:
    return lenet.arange(float(np.prod(shape))).reshape(*shape)


def numbers(value: Any, kind: type) -> Any:
    """The same arguments with NumPy's numbers for Python's."""
    if isinstance(value, (list, tuple)):
        return type(value)(numbers(v, kind) for v in value)
    if type(value) is int and (value >= 0 or kind is not np.uint8):
        return kind(value)
    return np.float64(value) if type(value) is float else value


def result(sample: Sample) -> list[Any]:
    """Values and types of a call, over tensors."""

    def take(value: Any) -> Any:
        if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
            return type(value)(take(v) for v in value)
        return lenet.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value

    with np.errstate(all="ignore"):
        found = resolve(lenet, sample.name)(*map(take, sample.args), **{k: take(v) for k, v in sample.kwargs.items()})
    return [found.tolist(), str(found.dtype)] if isinstance(found, lenet.Tensor) else [
        [f.tolist(), str(f.dtype)] if isinstance(f, lenet.Tensor) else f for f in found
    ]  # fmt: skip


def changed(sample: Sample, kind: type) -> Sample:
    return Sample(sample.name, numbers(sample.args, kind), {k: numbers(v, kind) for k, v in sample.kwargs.items()})


WITH_NUMBERS = [s for s in all_samples() if str(changed(s, np.int64)) != str(s)]


@pytest.mark.parametrize("kind", INTEGERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("sample", WITH_NUMBERS, ids=str)
def test_an_op_takes_them_as_pythons(sample: Sample, kind: type) -> None:
    lenet.manual_seed(0)
    expected = result(sample)
    lenet.manual_seed(0)
    assert repr(result(changed(sample, kind))) == repr(expected)


class Numbers:
    """`lenetcli.nn` whose layers get NumPy's numbers for Python's."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __getattr__(self, name: str) -> Any:
        layer = getattr(nn, name)
        return lambda *args, **kwargs: layer(
            *numbers(args, self.kind), **{k: numbers(v, self.kind) for k, v in kwargs.items()}
        )


@pytest.mark.parametrize("kind", INTEGERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("sample", LAYERS, ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_layer_takes_them_as_pythons(sample: LayerSample, kind: type) -> None:
    found = []
    for package in (nn, Numbers(kind)):
        lenet.manual_seed(0)
        layer = sample.make(package, lenet.from_numpy)
        results = layer(*(x.clone() for x in leaves(sample, lenet.from_numpy)))
        results = results if isinstance(results, tuple) else (results,)
        found.append([[r.tolist(), str(r.dtype)] for r in results] + [repr(layer).replace(f"np.{kind.__name__}", "")])
    assert repr(found[0][:-1]) == repr(found[1][:-1])


CALLS: dict[str, Call] = {
    "zeros": lambda i: lenet.zeros(i(2), i(3)),
    "full": lambda i: lenet.full((i(2),), i(7)),
    "eye": lambda i: lenet.eye(i(2), i(3)),
    "arange": lambda i: lenet.arange(i(0), i(6), i(2)),
    "linspace": lambda i: lenet.linspace(0, 1, i(3)),
    "randperm": lambda i: lenet.randperm(i(4)).sort()[0],
    "index": lambda i: images(4)[i(1)],
    "index slice": lambda i: images(4)[i(1) : i(3) : i(2)],
    "index two": lambda i: images(2, 2)[i(0), i(1)],
    "size": lambda i: lenet.tensor(images(2, 3).size(i(1))),
    "shape times": lambda i: lenet.zeros(images(2, 2).shape * i(2)),
    "left of a power": lambda i: i(2) ** images(3),
    "add alpha": lambda i: lenet.add(images(2), images(2), alpha=i(2)),
    "softplus": lambda i: F.softplus(images(2), i(1), i(20)),
    "where": lambda i: lenet.where(lenet.tensor([True, False]), i(1), images(2)),
    "sequential": lambda i: nn.Sequential(nn.ReLU(), nn.Flatten(i(0)))[i(1)](images(2, 2)),
    "parameter list": lambda i: nn.ParameterList([images(2)])[i(0)],
}


@pytest.mark.parametrize("kind", INTEGERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_takes_them_as_pythons(name: str, kind: type) -> None:
    ours, expected = CALLS[name](kind), CALLS[name](int)
    assert (ours.tolist(), ours.dtype) == (expected.tolist(), expected.dtype)
