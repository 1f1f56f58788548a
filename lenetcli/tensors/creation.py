"""New tensors from data, or filled. Those that are counted are in `ranges`, the random ones in `sampling`."""

from __future__ import annotations

import functools
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


def tensor_of(array: Array, dtype: Dtype | None, device: Any, requires_grad: bool, default: Any = None) -> Tensor:
    """A new array, in the type and on the device that were asked for."""
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


def number_of(value: Any) -> Any:
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
    value = number_of(fill_value)
    kind = to_numpy_dtype(dtype, to_numpy_dtype(type(value)) if isinstance(value, (bool, int)) else None)
    return tensor_of(np.full(shape_of((size,)), number_as(value, kind)), dtype, device, requires_grad, kind)


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
    return tensor_of(np.zeros(shape_of(sizes_of(sizes, size)), to_numpy_dtype(dtype)), dtype, device, requires_grad)


def ones(
    *sizes: Any, size: Any = None, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones. Source: torch.ones.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2)
        tensor([1., 1.])
    """
    return tensor_of(np.ones(shape_of(sizes_of(sizes, size)), to_numpy_dtype(dtype)), dtype, device, requires_grad)


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
    return tensor_of(made(shape_of(sizes_of(sizes, size)), to_numpy_dtype(dtype)), dtype, device, requires_grad)


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
    value = number_as(number_of(fill_value), kind)
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
