"""Element types under torch's names, and torch's rules for what two of them give together."""

from __future__ import annotations

from typing import Any, Final

import numpy as np


class dtype:
    """An element type such as `lenet.float32`; `numpy` is its NumPy counterpart.

    Source: torch.dtype, whose names it prints.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.float32, lenet.float32.itemsize, lenet.int64.is_floating_point
        (torch.float32, 4, False)
    """

    __slots__ = ("is_floating_point", "itemsize", "name", "numpy", "rank")

    def __init__(self, name: str, numpy: Any, rank: int) -> None:
        self.name = name
        self.numpy = np.dtype(numpy)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"
        self.rank = rank  # torch's promotion order: the higher one wins within a category

    def __repr__(self) -> str:
        return f"torch.{self.name}"  # prints like torch

    def __reduce__(self) -> str:
        return self.name


bool_: Final = dtype("bool", np.bool_, 0)
uint8: Final = dtype("uint8", np.uint8, 1)
int8: Final = dtype("int8", np.int8, 2)
int16: Final = dtype("int16", np.int16, 3)
int32: Final = dtype("int32", np.int32, 4)
int64: Final = dtype("int64", np.int64, 5)
float16: Final = dtype("float16", np.float16, 6)
float32: Final = dtype("float32", np.float32, 7)
float64: Final = dtype("float64", np.float64, 8)

ALL: Final = (bool_, uint8, int8, int16, int32, int64, float16, float32, float64)
_BY_NUMPY: Final = {d.numpy: d for d in ALL}
_PYTHON: Final[dict[type, dtype]] = {bool: bool_, int: int64}

_default = float32


def get_default_dtype() -> dtype:
    """The floating-point type that new tensors of Python floats get (float32 unless changed).

    Source: torch.get_default_dtype.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.get_default_dtype()
        torch.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Changes what `get_default_dtype` returns.

    Raises:
        TypeError: `d` is not a floating-point dtype.

    Source: torch.set_default_dtype.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.set_default_dtype(lenet.float64)
        >>> lenet.tensor(1.5).dtype
        torch.float64
        >>> lenet.set_default_dtype(lenet.float32)
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"set_default_dtype: wanted a floating-point dtype such as float64, got {d!r}")
    _default = d


def from_numpy_dtype(np_dtype: np.dtype[Any]) -> dtype:
    """The dtype of a NumPy array.

    Raises:
        TypeError: the array's type has no counterpart (objects, text, complex, unsigned above 8 bits).
    """
    try:
        return _BY_NUMPY[np_dtype]
    except KeyError:
        native = np_dtype.newbyteorder("=")
        if native in _BY_NUMPY:
            return _BY_NUMPY[native]
        known = ", ".join(d.name for d in ALL)
        raise TypeError(f"no tensor type for NumPy's {np_dtype}; convert to one of {known} first") from None


def to_numpy_dtype(d: dtype | type | None, default: np.dtype[Any] | None = None) -> np.dtype[Any]:
    """NumPy's type for a dtype, `float`, `int` or `bool`; None gives `default` or the default dtype."""
    if d is None:
        return default if default is not None else _default.numpy
    if isinstance(d, dtype):
        return d.numpy
    if d is float:
        return _default.numpy
    if isinstance(d, type) and d in _PYTHON:
        return _PYTHON[d].numpy
    raise TypeError(f"wanted a dtype such as lenet.float32, got {d!r}")


def _category(d: dtype) -> int:
    return 2 if d.is_floating_point else 0 if d is bool_ else 1


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest type that holds both, by torch's table.

    Example:
        >>> from lenetcli.autograd.dtypes import promote_types, int64, float32
        >>> promote_types(int64, float32)
        torch.float32
    """
    if a is b:
        return a
    low, high = sorted((a, b), key=lambda d: d.rank)
    if low is uint8 and high is int8:
        return int16
    return high


def result_type(*operands: Any) -> np.dtype[Any]:
    """NumPy's type of an operation's result by torch's rules.

    Arrays with dimensions outrank 0-d arrays, which outrank Python scalars; a lower rank changes the type only
    when it brings a higher category (bool < integer < float).

    Args:
        operands: arrays and Python bools, ints or floats; a number of NumPy counts as Python's.
    """
    best: list[dtype | None] = [None, None, None]  # Python scalars, 0-d arrays, arrays
    for x in operands:
        if isinstance(x, np.generic):
            x = x.item()
        if hasattr(x, "dtype"):
            level, d = (2 if x.ndim else 1), from_numpy_dtype(x.dtype)
        elif isinstance(x, bool):
            level, d = 0, bool_
        elif isinstance(x, int):
            level, d = 0, int64
        elif isinstance(x, float):
            level, d = 0, _default
        else:
            raise TypeError(f"wanted a tensor or a number, got {type(x).__name__}: {x!r}")
        before = best[level]
        best[level] = d if before is None else promote_types(before, d)
    result: dtype | None = None
    for found in reversed(best):
        if found is None:
            continue
        if result is None or _category(found) > _category(result):
            result = found
    assert result is not None, "result_type needs an operand"
    return result.numpy


def number_as(value: Any, kind: np.dtype[Any]) -> Any:
    """A number in an array's type, to be written into one; floats lose their fraction in integer types.

    Raises:
        TypeError: not a real number.
        RuntimeError: the type cannot hold it (negative numbers wrap around in unsigned types, as in torch).
    """
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (int, float)):
        raise TypeError(f"wanted a number or a tensor, got {type(value).__name__}: {value!r}")
    if kind.kind == "b":
        return kind.type(bool(value))
    if kind.kind == "f":
        if float(np.finfo(kind).max) < abs(value) != float("inf"):
            raise RuntimeError(f"value cannot be converted to type {kind} without overflow: {value}")
        return kind.type(value)
    limits = np.iinfo(kind)
    lowest = -limits.max if kind.kind == "u" else limits.min
    if not lowest <= value <= limits.max:
        raise RuntimeError(f"value cannot be converted to type {kind} without overflow: {value}")
    return np.asarray(int(value), np.int64).astype(kind)[()]
