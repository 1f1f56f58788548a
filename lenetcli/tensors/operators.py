"""Tensor's operators: each calls an op, made when it is first used.

Beside a NumPy array the result is a tensor, whatever the order: NumPy computes it, in NumPy's type, and Tensor's
`__array_wrap__` makes it one. Comparisons take the array as a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.autograd.tape import Variable, like
from lenetcli.ops import families

_BINARY = {
    "add": ("add", np.add), "sub": ("sub", np.subtract), "mul": ("mul", np.multiply), "truediv": ("div", np.divide),
    "floordiv": ("floor_divide", np.floor_divide), "mod": ("remainder", np.remainder), "pow": ("pow", np.power),
    "matmul": ("matmul", np.matmul), "and": ("bitwise_and", np.bitwise_and), "or": ("bitwise_or", np.bitwise_or),
    "xor": ("bitwise_xor", np.bitwise_xor), "lshift": ("bitwise_left_shift", np.left_shift),
    "rshift": ("bitwise_right_shift", np.right_shift),
}  # fmt: skip
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_OTHERS = {"neg": "neg", "abs": "abs", "invert": "bitwise_not", "getitem": "index", "setitem": "__setitem__"}


def add_operators(tensor: type[Variable]) -> None:
    """Gives the class all operators of Python that are ops."""

    def on_first_use(symbol: str, make: Callable[..., Callable[..., Any]], *args: Any) -> None:
        def first(self: Any, *others: Any) -> Any:
            operate = make(*args)
            setattr(tensor, symbol, operate)  # the real one takes this one's place
            return operate(self, *others)

        setattr(tensor, symbol, first)

    for symbol, (name, ufunc) in _BINARY.items():
        on_first_use(f"__{symbol}__", _operator, name)
        on_first_use(f"__r{symbol}__", _operator, name, ufunc)
        if name != "matmul":
            on_first_use(f"__i{symbol}__", _in_place, name)
    for name in _COMPARISONS:
        on_first_use(f"__{name}__", _comparison, name)
    for symbol, name in _OTHERS.items():
        on_first_use(f"__{symbol}__", families.method, name)


def _operator(name: str, swapped: np.ufunc | None = None) -> Callable[..., Any]:
    """A Python operator that calls an op; NotImplemented for operands that are neither tensors nor numbers.

    Args:
        swapped: the tensor is the right operand, and this is NumPy's function for a left one that is an array.
    """
    function = families.method(name)

    def operate(self: Any, other: Any) -> Any:
        if not isinstance(other, Variable):
            if isinstance(other, np.ndarray):
                if swapped is None:
                    return NotImplemented  # NumPy's own operator, which comes next, gives a tensor
                return self.reciprocal() * other if swapped is np.divide else swapped(other, self)
            if isinstance(other, np.generic):
                other = _number(other)
            if not isinstance(other, (int, float)):
                return NotImplemented
        return function(self, other) if swapped is None else function(other, self)

    return operate


def _number(scalar: np.generic) -> Any:
    """A NumPy scalar as a Python number; torch takes NumPy's booleans for floating-point ones."""
    return float(scalar) if isinstance(scalar, np.bool_) else scalar.item()


def _comparison(name: str) -> Callable[..., Any]:
    function = families.method(name)

    def operate(self: Any, other: Any) -> Any:
        if not isinstance(other, Variable):
            if isinstance(other, np.ndarray) and other.dtype.kind in "biuf":
                return function(self, like(self, other))
            if isinstance(other, np.generic):
                other = _number(other)
            if not isinstance(other, (int, float)):
                return NotImplemented
        return function(self, other)

    return operate


def _in_place(name: str) -> Callable[..., Any]:
    function = families.method(name + "_")

    def operate(self: Any, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return function(self, _number(other) if isinstance(other, np.generic) else other)

    return operate
