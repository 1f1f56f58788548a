"""Tensor, Size and `tensor` as Python objects: formats, constructors, types of nested data, shapes of shapes."""

# ruff: noqa: RUF005  # the operators are meant

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet

Call = Callable[[Any], Any]  # takes a package, lenetcli or torch

SPECS = ["", ".2f", "10.3e", "g", "d", "5", ">10", "s", ".1%", "+"]
FORMATTED: dict[str, Call] = {
    "float": lambda m: m.tensor(1.5),
    "int": lambda m: m.tensor(3),
    "bool": lambda m: m.tensor(True),
    "float64": lambda m: m.tensor(1.5, dtype=m.float64),
    "third": lambda m: m.tensor(1 / 3),
    "nan": lambda m: m.tensor(float("nan")),
    "one that needs a gradient": lambda m: m.tensor(1.5, requires_grad=True),
    "vector": lambda m: m.tensor([1.5]),
    "matrix": lambda m: m.ones(2, 2),
    "empty": lambda m: m.zeros(0),
    "parameter": lambda m: m.nn.Parameter(m.tensor(1.5)),
}


def of_shape(change: Call) -> Call:
    return lambda m: change(m.zeros(2, 3, 4).shape)


CALLS: dict[str, Call] = {
    **{f"shape {name}": of_shape(change) for name, change in {
        "from 1": lambda s: s[1:], "first": lambda s: s[0], "last": lambda s: s[-1:], "reversed": lambda s: s[::-1],
        "and a tuple": lambda s: s + (1,), "and itself": lambda s: s + s, "after a tuple": lambda s: (1, *s)[:1] + s,
        "and a list": lambda s: s + [1], "after a list": lambda s: [1] + s, "and None": lambda s: s + None,
        "twice": lambda s: s * 2, "twice from the left": lambda s: 2 * s, "times a float": lambda s: s * 2.0,
        "never": lambda s: s * -1, "times NumPy's": lambda s: s * np.int64(2), "elements": lambda s: s[1:].numel(),
        "equal": lambda s: s == (2, 3, 4), "equal to a list": lambda s: s == [2, 3, 4], "less": lambda s: s < (3,),
        "hash": lambda s: hash(s) == hash((2, 3, 4)), "text": str, "as tuple": tuple, "copied": deepcopy,
        "pickled": lambda s: pickle.loads(pickle.dumps(s)), "counted": lambda s: s.count(3), "in": lambda s: 3 in s,
    }.items()},
    "Size()": lambda m: m.Size(),
    "Size of a list": lambda m: m.Size([1, 2]),
    "Size of a float": lambda m: m.Size([1.0]),
    "Size of text": lambda m: m.Size(["a"]),
    "Size of a tensor": lambda m: m.Size([m.tensor(2)]),
    "Size of a boolean": lambda m: m.Size([True]),
    "zeros of a shape": lambda m: m.zeros(m.zeros(2, 3).size()[1:]).shape,
    **{f"Tensor({name})": make for name, make in {
        "": lambda m: m.Tensor(), "3": lambda m: m.Tensor(3).shape, "2, 3": lambda m: m.Tensor(2, 3).shape,
        "[1, 2]": lambda m: m.Tensor([1, 2]), "nested": lambda m: m.Tensor([[1, 2], [3, 4]]),
        "tuple": lambda m: m.Tensor((2, 3)), "[]": lambda m: m.Tensor([]),
        "booleans": lambda m: m.Tensor([True, False]),
        "float64 array": lambda m: m.Tensor(np.array([1.0, 2.0])), "integers": lambda m: m.Tensor(np.array([1, 2])),
        "tensors": lambda m: m.Tensor([m.tensor(1.0), m.tensor(2.0)]), "range": lambda m: m.Tensor(range(3)),
        "Size": lambda m: m.Tensor(m.Size([2, 3])).shape, "negative": lambda m: m.Tensor(-1),
        "2.5": lambda m: m.Tensor(2.5), "None": lambda m: m.Tensor(None), "text": lambda m: m.Tensor("a"),
        "NumPy's sizes": lambda m: m.Tensor(np.int64(2), np.int64(3)).shape, "floats": lambda m: m.Tensor(1.0, 2.0),
        "tensor": lambda m: m.Tensor(m.tensor([1, 2])), "on a device": lambda m: m.Tensor([1.0], device="cpu"),
        "requires_grad": lambda m: m.Tensor([1.0], requires_grad=True), "a large one": lambda m: m.Tensor([2**40]),
        "of one that needs a gradient": lambda m: m.Tensor(m.ones(1, requires_grad=True) * 2),
    }.items()},
    **{f"tensor({name})": (lambda m, make=make: m.tensor(make(m))) for name, make in {
        "[np.float64]": lambda m: [np.float64(1)], "[np.float32]": lambda m: [np.float32(1)],
        "[np.float16]": lambda m: [np.float16(1)], "[np.int32]": lambda m: [np.int32(1)],
        "[np.bool]": lambda m: [np.bool_(1)], "[np.uint8]": lambda m: [np.uint8(1)],
        "float and np.float64": lambda m: [1.0, np.float64(1)], "np.float64 and int": lambda m: [np.float64(1), 1],
        "np.float32 and float": lambda m: [np.float32(1), 1.0], "np.int32 and int": lambda m: [np.int32(1), 1],
        "both floats": lambda m: [np.float32(1), np.float64(1)], "nested": lambda m: [[np.float64(1)], [np.float64(2)]],
        "arrays of two types": lambda m: [np.ones(1, np.float32), np.ones(1)],
        "tensor of float64": lambda m: [m.tensor(1.0, dtype=m.float64), 1.0], "tensor of ints": lambda m: [m.tensor(1)],
        "tensor of int32": lambda m: [m.tensor(1, dtype=m.int32)], "tensor and float": lambda m: [m.tensor(1), 1.0],
        "bool and int": lambda m: [True, 1], "bool and float": lambda m: [True, 1.0], "[]": lambda m: [],
        "np.float64": lambda m: np.float64(1), "int and float": lambda m: [1, 1.5],
        "a shape": lambda m: m.ones(2, 3).shape,
    }.items()},
    "as_tensor([np.float64])": lambda m: m.as_tensor([np.float64(1)]),
    "with a dtype": lambda m: m.tensor([1 / 3, np.float64(1 / 3)], dtype=m.float64),
    **{f"where({name})": (lambda m, pair=pair: m.where(m.tensor([True, False]), *pair(m))) for name, pair in {
        "1., 0.": lambda m: (1.0, 0.0), "1, 0": lambda m: (1, 0), "True, False": lambda m: (True, False),
        "1., 0": lambda m: (1.0, 0), "large": lambda m: (2**40, 0), "nan": lambda m: (float("nan"), 0.0),
        "NumPy's": lambda m: (np.float64(1), np.float32(0)), "NumPy's and tensor": lambda m: (np.int64(1), m.ones(2)),
        "int tensor, float": lambda m: (m.tensor([1, 2]), 0.5), "0-d, float": lambda m: (m.tensor(1), 0.5),
        "a list": lambda m: ([1.0, 2.0], 1.0), "None": lambda m: (None, 1.0),
        "gradient": lambda m: (m.ones(2, requires_grad=True), 0.0), "column": lambda m: (m.ones(2, 1), 0.0),
    }.items()},
    "where of a 0-d condition": lambda m: m.where(m.tensor(True), 1.0, 0.0),
    "where of integers": lambda m: m.where(m.tensor([1, 0]), 1.0, 0.0),
}  # fmt: skip


def shown(value: Any) -> Any:
    if type(value).__name__ == "Tensor":
        return "Tensor", value.tolist(), str(value.dtype), tuple(value.shape), value.requires_grad
    return type(value).__name__, repr(value)


def tried(call: Callable[..., Any], *args: Any) -> Any:
    """What a call gives, or the kind of its error."""
    try:
        return shown(call(*args))
    except Exception as error:
        return next(k for k in type(error).__mro__ if k.__module__ == "builtins").__name__


@pytest.mark.parametrize("value", FORMATTED)
def test_a_format_gives_what_it_gives_in_torch(torch: Any, value: str) -> None:
    for spec in SPECS:
        ours, theirs = (tried(format, FORMATTED[value](m), spec) for m in (lenet, torch))
        assert ours == theirs, spec


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of lists of arrays
@pytest.mark.parametrize("name", CALLS)
def test_a_call_gives_what_it_gives_in_torch(torch: Any, name: str) -> None:
    assert repr(tried(CALLS[name], lenet)) == repr(tried(CALLS[name], torch))  # repr: NaN equals NaN


def test_a_number_formats_as_one() -> None:
    assert f"{lenet.tensor(1.5)} {lenet.tensor(3)} {lenet.tensor(1.5):.2f}" == "1.5 3 1.50"
    assert f"{lenet.tensor([1.5])}" == "tensor([1.5000])"


def test_parts_of_shapes_are_shapes() -> None:
    shape = lenet.zeros(2, 3, 4).shape
    for part in (shape[1:], shape + (1,), (1,) + shape, shape * 2, 2 * shape):
        assert type(part) is lenet.Size
    assert shape[1:].numel() == 12


def test_the_old_constructor_takes_values_and_sizes() -> None:
    assert tried(CALLS["Tensor([1, 2])"], lenet) == ("Tensor", [1.0, 2.0], "torch.float32", (2,), False)
    assert lenet.Tensor(2, 3).shape == (2, 3)


def test_the_elements_decide_the_type() -> None:
    assert lenet.tensor([np.float64(1)]).dtype is lenet.float64
    assert lenet.tensor([np.float32(1), 1.0]).dtype is lenet.float32
    assert lenet.where(lenet.tensor([True, False]), 1.0, 0.0).tolist() == [1.0, 0.0]
