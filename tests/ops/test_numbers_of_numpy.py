"""NumPy's integers and floats wherever a Python number may stand: sizes, axes, kernel sizes, factors, indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from tests.cases import each_by_name
from tests.nn.sample import LayerSample, collected, leaves, outputs
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
@each_by_name(WITH_NUMBERS)
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
@each_by_name(LAYERS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_layer_takes_them_as_pythons(sample: LayerSample, kind: type) -> None:
    found = []
    for package in (nn, Numbers(kind)):
        lenet.manual_seed(0)
        layer = sample.make(package, lenet.from_numpy)
        results = outputs(
            layer(*(x.clone() for x in leaves(sample, lenet.from_numpy)), **sample.named(lenet.from_numpy))
        )
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


NUMBERS = [np.float32(1.5), np.float64(2.5), np.int64(2), np.int32(3), np.uint8(2)]
BINARY = ["add", "mul", "div", "pow", "xlogy", "float_power", "where", "clamp_min", "clamp_max", "eq"]


@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "int64", "float32", "float64"])
@pytest.mark.parametrize("name", BINARY)
def test_a_number_of_numpy_is_a_number_of_python_to_functions_and_methods_too(name: str, kind: str) -> None:
    def give(number: Any) -> Any:
        x = lenet.tensor([3, 0]).to(getattr(lenet, kind))
        if name == "where":
            return lenet.where(lenet.tensor([True, False]), x, number)
        return getattr(x, name)(number)

    for number in NUMBERS:
        of_numpy, of_python = give(number), give(number.item())
        assert of_numpy.dtype is of_python.dtype
        if name not in ("eq", "float_power") and kind.startswith("float"):
            assert of_python.dtype is getattr(lenet, kind)
        np.testing.assert_array_equal(of_numpy.numpy(), of_python.numpy())


@pytest.mark.parametrize("divide", [lambda x, n: x / n, lambda x, n: x.div(n), lambda x, n: x.true_divide(n)])
def test_bytes_are_divided_by_a_negative_number_as_it_is(divide: Any) -> None:
    x = lenet.tensor([3, 6], dtype=lenet.uint8)
    assert divide(x, -3).tolist() == [-1.0, -2.0]
    assert divide(x, lenet.tensor(-3)).tolist() == [-1.0, -2.0]


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "int32", "int64"])
def test_a_number_that_the_type_cannot_hold_is_refused_a_negative_byte_wraps_around(kind: str) -> None:
    dtype = getattr(lenet, kind)
    x = lenet.zeros(2, dtype=dtype)
    fills: list[Callable[[Any], Any]] = [
        lambda v: lenet.full((2,), v, dtype=dtype),
        lambda v: lenet.full_like(x, v),
        lambda v: x.clone().fill_(v),
        lambda v: lenet.tensor([v, v], dtype=dtype),
    ]
    for fill in fills:
        assert fill(-3).tolist() == [253 if kind == "uint8" else -3] * 2
        for value in (float("inf"), 1e30):
            with pytest.raises(RuntimeError, match="without overflow"):
                fill(value)


def test_booleans_are_shifted_by_integers_and_integers_by_booleans() -> None:
    yes = lenet.tensor([True, False])
    assert (yes << 2).tolist() == [4, 0]
    assert (yes << lenet.tensor([3, 1], dtype=lenet.uint8)).dtype is lenet.uint8
    assert (lenet.tensor([4, 4]) >> yes).tolist() == [2, 4]
    with pytest.raises(NotImplementedError, match="booleans"):
        yes << yes


def test_the_median_of_no_integers_is_a_number_of_their_type() -> None:
    for name in ("median", "nanmedian"):
        assert getattr(lenet.zeros(0, dtype=lenet.int32), name)().tolist() == -(2**31)
        assert getattr(lenet.zeros(0, dtype=lenet.uint8), name)().tolist() == 0


def test_no_edge_is_as_great_as_a_nan() -> None:
    edges = lenet.tensor([[1.0, 2.0, float("nan")]] * 2)
    values = lenet.tensor([[float("nan"), 2.0]] * 2)
    for right in (False, True):
        assert lenet.searchsorted(edges, values, right=right)[:, 0].tolist() == [3, 3]
        assert lenet.bucketize(values[0], edges[0], right=right).tolist() == [3, 2 if right else 1]
