"""New tensors from data, filled or counted. The random ones are in `sampling`."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import (
    bool_,
    from_numpy_dtype,
    get_default_dtype,
    int64,
    number_as,
    promote_types,
    to_numpy_dtype,
)
from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.layout import Array
from lenetcli.ops.operands import sizes
from lenetcli.tensors.tensor import Tensor, of_array, placed


def tensor(data: Any, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of the data: a number, nested lists, a NumPy array.

    Args:
        data: the values. Python floats become the default dtype, integers int64; arrays keep their type.
        dtype: type of the elements.
        device: where it goes: "cpu" unless given, or "cuda".
        requires_grad: record operations on it.

    Raises:
        ValueError: lists of different lengths.
        TypeError: values that are no numbers.
        RuntimeError: numbers in lists that the type of integers cannot hold.

    Source: torch.tensor.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    array = _array(data, dtype)
    kind = to_numpy_dtype(dtype, array.dtype)
    from_numpy_dtype(kind)
    if kind.kind in "iu" and array.dtype is not kind and array.size and isinstance(data, (int, float, list, tuple)):
        for extreme in (array.min(), array.max()):
            number_as(extreme, kind)
    with np.errstate(over="ignore", invalid="ignore"):
        return of_array(placed(array.astype(kind), device), requires_grad)


def _array(data: Any, wanted: Dtype | None) -> Array:
    """Data as an array of the type torch gives it; where a type is wanted, with all digits for that."""
    if isinstance(data, Variable):
        return data.array
    if isinstance(data, (np.ndarray, np.generic)):
        return np.asarray(data)
    kinds = _kinds(data)
    data = _without_tensors(data)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ValueError(f"tensor: the lists differ in length: {error}") from None
    except OverflowError:
        raise RuntimeError("tensor: an integer does not fit into 64 bits; use a float") from None
    if array.dtype.kind == "i" and isinstance(_first(data), int):
        array = array.astype(np.int64, copy=False)  # NumPy has 32 bits for them on some platforms
    if array.dtype.kind not in "biuf":
        raise TypeError(f"tensor: wanted numbers, got {array.dtype} from {type(data).__name__}")
    if wanted is not None or not kinds:
        return array if wanted is not None or array.dtype.kind != "f" else array.astype(get_default_dtype().numpy)
    return array.astype(functools.reduce(promote_types, kinds).numpy)


def _kinds(data: Any) -> set[Dtype]:
    """The types of the elements of nested lists: Python's as the defaults, those of arrays and tensors as they are."""
    if isinstance(data, (list, tuple)):
        found: set[Dtype] = set()
        for kind in set(map(type, data)):
            if kind in _OF_PYTHON:
                found.add(_OF_PYTHON[kind] or get_default_dtype())
            else:
                found.update(*(_kinds(d) for d in data if type(d) is kind))
        return found
    if isinstance(data, Variable):
        return {from_numpy_dtype(data.array.dtype)}
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind in "biuf":
        return {from_numpy_dtype(data.dtype)}
    return set()


_OF_PYTHON: dict[type, Dtype | None] = {bool: bool_, int: int64, float: None}


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Variable):
        return data.array.tolist()
    return [_without_tensors(d) for d in data] if isinstance(data, (list, tuple)) else data


def _first(data: Any) -> Any:
    """The first number in nested lists."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def as_tensor(data: Any, dtype: Dtype | None = None, device: Any = None) -> Tensor:
    """Data as a tensor, without a copy where it is one already or a NumPy array of the right type.

    Source: torch.as_tensor.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.ones(2)
        >>> lenet.as_tensor(x) is x
        True
    """
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    array = _array(data, dtype)
    from_numpy_dtype(array.dtype)
    return of_array(placed(array.astype(to_numpy_dtype(dtype, array.dtype.newbyteorder("=")), copy=False), device))


def _made(array: Array, dtype: Dtype | None, device: Any, requires_grad: bool, default: Any = None) -> Tensor:
    with np.errstate(over="ignore", invalid="ignore"):
        return of_array(placed(array.astype(to_numpy_dtype(dtype, default), copy=False), device), requires_grad)


def shape_of(size: Sequence[Any]) -> tuple[int, ...]:
    """Sizes as given to zeros, ones, rand ...; none may be negative.

    Raises:
        RuntimeError: a negative size.
    """
    shape = sizes(size)
    if any(s < 0 for s in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(shape)}")
    return shape


def sizes_of(sizes: tuple[Any, ...], size: Any) -> tuple[Any, ...]:
    """Sizes that are given one by one, or as `size=`.

    Raises:
        TypeError: both.
    """
    if size is None:
        return sizes
    if sizes:
        raise TypeError("got multiple values for argument 'size'")
    return (size,)


def _number(value: Any) -> Any:
    """The Python number in a tensor of one element or a NumPy scalar; any other value as it is."""
    if isinstance(value, Variable):
        return value.array.item()
    return value.item() if isinstance(value, np.generic) else value


def full(
    size: Any, fill_value: float, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one value, whose type is the value's unless given. Source: torch.full.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.full((2,), 7)
        tensor([7, 7])
    """
    value = _number(fill_value)
    kind = to_numpy_dtype(dtype, to_numpy_dtype(type(value)) if isinstance(value, (bool, int)) else None)
    return _made(np.full(shape_of((size,)), number_as(value, kind)), dtype, device, requires_grad, kind)


def zeros(
    *sizes: Any, size: Any = None, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros. Source: torch.zeros.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(2, 1)
        tensor([[0.],
                [0.]])
    """
    return _made(np.zeros(shape_of(sizes_of(sizes, size)), to_numpy_dtype(dtype)), dtype, device, requires_grad)


def ones(
    *sizes: Any, size: Any = None, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones. Source: torch.ones.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2)
        tensor([1., 1.])
    """
    return _made(np.ones(shape_of(sizes_of(sizes, size)), to_numpy_dtype(dtype)), dtype, device, requires_grad)


def empty(
    *sizes: Any, size: Any = None, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of whatever the memory held. Source: torch.empty.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.empty(2, 0)
        tensor([], size=(2, 0))
    """
    made = np.empty if switches.tracer is None else np.zeros  # a trace wants the same memory every time
    return _made(made(shape_of(sizes_of(sizes, size)), to_numpy_dtype(dtype)), dtype, device, requires_grad)


def _made_like(input: Tensor, array: Array, device: Any, requires_grad: bool) -> Tensor:
    result: Tensor = like(input, placed(array, device))
    return result.requires_grad_() if requires_grad else result


def full_like(
    input: Tensor, fill_value: float, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one value in the shape and type of another. Source: torch.full_like.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.full_like(lenet.zeros(2), 7)
        tensor([7., 7.])
    """
    kind = to_numpy_dtype(dtype, input.array.dtype)
    value = number_as(_number(fill_value), kind)
    return _made_like(input, np.full_like(input.array, value, kind), device, requires_grad)


def zeros_like(input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and type of another tensor. Source: torch.zeros_like.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros_like(lenet.tensor([3, 4]))
        tensor([0, 0])
    """
    kind = to_numpy_dtype(dtype, input.array.dtype)
    return _made_like(input, np.zeros_like(input.array, kind), device, requires_grad)


def ones_like(input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and type of another tensor. Source: torch.ones_like.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones_like(lenet.tensor([3, 4]))
        tensor([1, 1])
    """
    kind = to_numpy_dtype(dtype, input.array.dtype)
    return _made_like(input, np.ones_like(input.array, kind), device, requires_grad)


def empty_like(input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uninitialised memory in the shape and type of another tensor. Source: torch.empty_like.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.empty_like(lenet.zeros(2, 3)).shape
        torch.Size([2, 3])
    """
    kind = to_numpy_dtype(dtype, input.array.dtype)
    made = np.empty_like if switches.tracer is None else np.zeros_like
    return _made_like(input, made(input.array, kind), device, requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix, zeros elsewhere; m is n unless given. Source: torch.eye.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    rows, columns = shape_of((n, n if m is None else m))
    return _made(np.eye(rows, columns, dtype=to_numpy_dtype(dtype)), dtype, device, requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from `start` up to but without `end`. Source: torch.arange.

    Raises:
        RuntimeError: a step of 0, or one that leads away from `end`.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(1, 4)
        tensor([1, 2, 3])
        >>> lenet.arange(0, 1, 0.25)
        tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    if end is None:
        start, end = 0, start
    start, end, step = map(_number, (start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: upper bound and lower bound inconsistent with step sign: {start}, {end}, {step}")
    whole = all(isinstance(v, int) for v in (start, end, step))
    count = -((start - end) // step) if whole else math.ceil((end - start) / step)
    values = start + np.arange(count) * step  # not np.arange: its float step is rounded twice
    return _made(values, dtype, device, requires_grad, np.dtype(np.int64) if whole else None)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included. Source: torch.linspace.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linspace(0, 1, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    if steps < 0:
        raise RuntimeError(f"linspace: number of steps must be non-negative, got {steps}")
    start, end = (float(v) for v in (start, end))
    return _made(np.linspace(start, end, steps), dtype, device, requires_grad)


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`base` to the power of each of `linspace(start, end, steps)`. Source: torch.logspace.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logspace(0, 2, 3)
        tensor([  1.,  10., 100.])
    """
    if steps < 0:
        raise RuntimeError(f"logspace: number of steps must be non-negative, got {steps}")
    return _made(base ** np.linspace(float(start), float(end), steps), dtype, device, requires_grad)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Where the elements of a matrix's lower triangle are, as (rows, columns).

    Args:
        row, col: sizes of the matrix.
        offset: the last diagonal that belongs to it: 0 the main one, 1 the one above it, -1 the one below.
        dtype: int64 (default) or int32.

    Shape:
        (2, N)

    Raises:
        RuntimeError: a negative size.
        NotImplementedError: another dtype.

    Source: torch.tril_indices.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tril_indices(2, 2)
        tensor([[0, 1, 1],
                [0, 0, 1]])
    """
    return _triangle("tril_indices", np.tril_indices, row, col, offset, dtype, device, requires_grad)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Where the elements of a matrix's upper triangle are; like `tril_indices`. Source: torch.triu_indices.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.triu_indices(2, 2)
        tensor([[0, 0, 1],
                [0, 1, 1]])
    """
    return _triangle("triu_indices", np.triu_indices, row, col, offset, dtype, device, requires_grad)


def _triangle(
    name: str, places: Any, row: int, col: int, offset: int, dtype: Dtype | None, device: Any, requires_grad: bool
) -> Tensor:
    rows, columns = shape_of((row, col))
    (offset,) = sizes((offset,))
    kind = to_numpy_dtype(dtype, np.dtype(np.int64))
    if kind not in (np.int64, np.int32):
        raise NotImplementedError(f"{name}: not implemented for {kind}; wanted int64 or int32")
    return _made(np.stack(places(rows, offset, columns)), dtype, device, requires_grad, kind)
