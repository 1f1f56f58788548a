"""Tensors beside NumPy arrays and scalars, and in NumPy's functions: the results are tensors, as in torch."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet

Make = Callable[[Any], Any]  # takes a package, lenetcli or torch

ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
BITS = ["and_", "or_", "xor", "lshift", "rshift"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
IN_PLACE = [
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "ifloordiv",
    "imod",
    "ipow",
    "iand",
    "ior",
    "ixor",
    "ilshift",
    "irshift",
]
OPERATORS = [*ARITHMETIC, *BITS, *COMPARISONS, *IN_PLACE]

OPERANDS: dict[str, tuple[Make, Any]] = {
    "float32 and float32": (lambda m: m.tensor([1.0, 3.0]), np.array([2, 7], np.float32)),
    "float32 and float64": (lambda m: m.tensor([1.0, 3.0]), np.array([2, 7], np.float64)),
    "float32 and int64": (lambda m: m.tensor([1.0, 3.0]), np.array([2, 7])),
    "int64 and int64": (lambda m: m.tensor([1, 3]), np.array([2, 7])),
    "int64 and int32": (lambda m: m.tensor([1, 3]), np.array([2, 7], np.int32)),
    "int64 and float64": (lambda m: m.tensor([1, 3]), np.array([2.0, 7.0])),
    "bool and bool": (lambda m: m.tensor([True, False]), np.array([True, True])),
    "float32 and 0-d": (lambda m: m.tensor([1.0, 3.0]), np.array(7.0)),
    "0-d and float64": (lambda m: m.tensor(3.0), np.array([1.0, 7.0])),
    "broadcast": (lambda m: m.ones(2, 2), np.array([1, 3], np.float32)),
    "a shape that does not fit": (lambda m: m.ones(2), np.ones(3, np.float32)),
    "float32 and np.float64": (lambda m: m.tensor([1.0, 3.0]), np.float64(7)),
    "float32 and np.float32": (lambda m: m.tensor([1.0, 3.0]), np.float32(7)),
    "float64 and np.float32": (lambda m: m.tensor([1.0, 3.0], dtype=m.float64), np.float32(7)),
    "int64 and np.int32": (lambda m: m.tensor([1, 3]), np.int32(7)),
    "int32 and np.int64": (lambda m: m.tensor([1, 3], dtype=m.int32), np.int64(7)),
    "int64 and np.float32": (lambda m: m.tensor([1, 3]), np.float32(2.5)),
    "bool and np.bool": (lambda m: m.tensor([True, False]), np.bool_(True)),
    "float32 and np.bool": (lambda m: m.tensor([1.0, 3.0]), np.bool_(True)),
    "0-d and np.float64": (lambda m: m.tensor(3.0), np.float64(7)),
    "one that needs a gradient": (lambda m: m.tensor([1.0, 3.0], requires_grad=True), np.array([2, 7], np.float32)),
    "a list": (lambda m: m.tensor([1.0, 3.0]), [1.0, 2.0]),
    "text": (lambda m: m.tensor([1.0, 3.0]), "text"),
}


def matrix(m: Any) -> Any:
    return m.tensor([[1.0, 2.0], [3.0, 5.0]])


UNARY = """exp log sqrt sin tanh abs negative square sign floor ceil rint isnan isfinite logical_not"""
BINARY = """add subtract multiply divide maximum minimum power equal less greater not_equal logical_and arctan2 hypot
    fmod"""
REDUCTIONS = """mean sum prod std var max min argmax argmin any all cumsum cumprod ptp amax amin median sort argsort"""
OTHERS = """ravel transpose squeeze round copy shape ndim nonzero diag trace unique flip nanmean average count_nonzero
    asarray array atleast_1d linalg.norm linalg.inv linalg.det tril triu zeros_like"""


def numpy_function(name: str) -> Callable[..., Any]:
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def calls() -> dict[str, Make]:
    found: dict[str, Make] = {}
    for name in UNARY.split():
        found[name] = lambda m, name=name: numpy_function(name)(m.tensor([1.0, 2.0]))
        found[f"{name} 0-d"] = lambda m, name=name: numpy_function(name)(m.tensor(1.0))
    for name in BINARY.split():
        f, a = numpy_function(name), np.array([2, 2], np.float32)
        found[f"{name}(t, a)"] = lambda m, f=f, a=a: f(m.tensor([1.0, 2.0]), a)
        found[f"{name}(a, t)"] = lambda m, f=f, a=a: f(a, m.tensor([1.0, 2.0]))
        found[f"{name}(t, t)"] = lambda m, f=f: f(m.tensor([1.0, 2.0]), m.tensor([2.0, 2.0]))
        found[f"{name}(t, 2)"] = lambda m, f=f: f(m.tensor([1.0, 2.0]), 2)
    for name in (*REDUCTIONS.split(), *OTHERS.split()):
        found[name] = lambda m, name=name: numpy_function(name)(matrix(m))
    for name in REDUCTIONS.split():
        found[f"{name} axis"] = lambda m, name=name: numpy_function(name)(matrix(m), axis=0)
    for name in ("mean", "sum", "std"):
        found[f"{name} dtype"] = lambda m, name=name: numpy_function(name)(matrix(m), dtype=np.float64)
    return found | {
        "clip": lambda m: np.clip(matrix(m), 0, 3),
        "concatenate": lambda m: np.concatenate([matrix(m), matrix(m)]),
        "dot": lambda m: np.dot(matrix(m), matrix(m)),
        "matmul": lambda m: np.matmul(matrix(m), matrix(m)),
        "where": lambda m: np.where(matrix(m) > 2, matrix(m), 0),
        "reshape": lambda m: np.reshape(matrix(m), (4,)),
        "repeat": lambda m: np.repeat(matrix(m), 2),
        "take": lambda m: np.take(matrix(m), [0, 1]),
        "add.reduce": lambda m: np.add.reduce(matrix(m)),
        "add.accumulate": lambda m: np.add.accumulate(matrix(m)),
        "divmod": lambda m: np.divmod(matrix(m), 2),
        "modf": lambda m: np.modf(matrix(m)),
        "out": lambda m: np.add(matrix(m), 1, out=np.zeros((2, 2), np.float32)),
        "exp of integers": lambda m: np.exp(m.tensor([1, 2])),
        "exp of one that needs a gradient": lambda m: np.exp(m.tensor(1.0, requires_grad=True)),
        "index": lambda m: np.arange(5)[m.tensor([0, 2])],
        "asarray dtype": lambda m: np.asarray(matrix(m), dtype=np.float64),
        "list": lambda m: np.array([m.tensor(1.0), m.tensor(2.0)]),
        "in": lambda m: np.float32(1) in matrix(m),
    }


CALLS = calls()


def shown(value: Any) -> Any:
    """Kind, type and values of a result."""
    if isinstance(value, tuple):
        return tuple(map(shown, value))
    if type(value).__name__ == "Tensor":
        return "Tensor", str(value.dtype), value.tolist()
    if isinstance(value, (np.ndarray, np.generic)):
        return type(value).__name__, str(value.dtype), value.tolist()
    return type(value).__name__, str(value)


def same(ours: Any, theirs: Any) -> bool:
    """Equal kinds and types, and values equal to rounding (torch divides a number by multiplying it)."""
    if len(ours) == len(theirs) == 3 and ours[:2] == theirs[:2] and isinstance(ours[0], str):
        return np.shape(ours[2]) == np.shape(theirs[2]) and np.allclose(ours[2], theirs[2], rtol=1e-6, equal_nan=True)
    if ours and isinstance(ours[0], tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs)


def tried(call: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return shown(call())
        except Exception as error:
            return "refused", next(k.__name__ for k in type(error).__mro__ if k.__module__ == "builtins")


def both_orders(m: Any, name: str, make: Make, other: Any) -> list[Any]:
    operate = getattr(operator, name)
    copies = [other.copy() if isinstance(other, np.ndarray) else other for _ in range(2)]
    return [tried(lambda: operate(make(m), copies[0])), tried(lambda: operate(copies[1], make(m)))]


@pytest.mark.parametrize("operands", OPERANDS)
def test_an_operator_gives_a_tensor_or_refuses(operands: str) -> None:
    make, other = OPERANDS[operands]
    for name in OPERATORS:
        for result in both_orders(lenet, name, make, other):
            allowed = (
                {"Tensor", "refused"}
                if isinstance(other, (np.ndarray, np.generic))
                else {"bool", "refused", "list", "str"}
            )
            assert result[0] in allowed, (name, result)


@pytest.mark.parametrize("operands", OPERANDS)
def test_an_operator_gives_the_tensor_that_torch_gives(torch: Any, operands: str) -> None:
    make, other = OPERANDS[operands]
    for name in OPERATORS:
        for ours, theirs in zip(both_orders(lenet, name, make, other), both_orders(torch, name, make, other)):
            # torch refuses most operators with the array on the left, and all of `<`; its `!=` is a plain True
            if theirs[0] == "Tensor" or theirs == ("refused", "RuntimeError"):
                assert same(ours, theirs) or (name in IN_PLACE and ours[0] == theirs[0] == "refused"), name


@pytest.mark.parametrize("name", CALLS)
def test_a_function_of_numpy_gives_what_it_gives_of_torch_tensors(torch: Any, name: str) -> None:
    ours, theirs = tried(lambda: CALLS[name](lenet)), tried(lambda: CALLS[name](torch))
    assert same(ours, theirs), (ours, theirs)


def test_comparing_with_an_array_is_done_element_by_element() -> None:
    t, a = lenet.tensor([1, 2]), np.array([1, 3])
    assert shown(t == a) == shown(a == t) == ("Tensor", "torch.bool", [True, False])
    assert shown(t != a) == ("Tensor", "torch.bool", [False, True])
    assert shown(t < a) == shown(a > t) == ("Tensor", "torch.bool", [False, True])


def test_arithmetic_with_an_array_gives_tensors_in_either_order() -> None:
    t, a = lenet.tensor([1.0, 2.0]), np.array([4, 8], np.float32)
    assert shown(t - a) == ("Tensor", "torch.float32", [-3.0, -6.0])
    assert shown(a - t) == ("Tensor", "torch.float32", [3.0, 6.0])
    assert shown(a / t) == ("Tensor", "torch.float32", [4.0, 4.0])
    assert shown(a @ t) == ("Tensor", "torch.float32", 20.0)
    assert shown(np.exp(lenet.zeros(2))) == ("Tensor", "torch.float32", [1.0, 1.0])
    assert shown(np.less(t, a)) == ("Tensor", "torch.uint8", [1, 1])


def test_arithmetic_of_numpy_is_refused_where_a_gradient_would_be_lost() -> None:
    t = lenet.ones(2, requires_grad=True)
    for call in (lambda: t + np.ones(2), lambda: np.ones(2) - t, lambda: np.exp(t)):
        with pytest.raises(RuntimeError, match="detach"):
            call()
