"""New tensors: from data, filled, counted or random."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli._tensor import Tensor, check_device
from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import get_default_dtype, to_numpy_dtype
from lenetcli.autograd.random import Generator, numpy_generator
from lenetcli.autograd.variable import Variable
from lenetcli.ops.operands import sizes


def tensor(data: Any, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of the data: a number, nested lists, a NumPy array.

    Args:
        data: the values. Python floats become the default dtype, integers int64; arrays keep their type.
        dtype: type of the elements.
        device: must be the CPU.
        requires_grad: record operations on it.

    Raises:
        ValueError: lists of different lengths.
        TypeError: values that are no numbers.

    Source: torch.tensor.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    check_device(device)
    if isinstance(data, Variable):
        array = data.array
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
    else:
        data = _without_tensors(data)
        try:
            array = np.array(data)
        except ValueError as error:
            raise ValueError(f"tensor: the lists differ in length: {error}") from None
        if array.dtype == object or array.dtype.kind in "USV":
            raise TypeError(f"tensor: wanted numbers, got {array.dtype} from {type(data).__name__}")
        if array.dtype == np.float64:
            array = array.astype(get_default_dtype().numpy)
        elif array.size == 0 and array.dtype.kind == "f":
            array = array.astype(get_default_dtype().numpy)
    return Tensor(np.array(array, dtype=to_numpy_dtype(dtype, array.dtype)), requires_grad)


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Variable):
        return data.array.tolist()
    return [_without_tensors(d) for d in data] if isinstance(data, (list, tuple)) else data


def full(
    size: Any, fill_value: float, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one value. Source: torch.full.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.full((2,), 7)
        tensor([7, 7])
    """
    check_device(device)
    guess = np.result_type(type(fill_value)) if isinstance(fill_value, (bool, int)) else None
    return Tensor(np.full(sizes((size,) if isinstance(size, int) else size), fill_value, to_numpy_dtype(dtype, guess)), requires_grad)


def zeros(*size: Any, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros. Source: torch.zeros.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(2, 1)
        tensor([[0.],
                [0.]])
    """
    check_device(device)
    return Tensor(np.zeros(sizes(size), to_numpy_dtype(dtype)), requires_grad)


def ones(*size: Any, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones. Source: torch.ones.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2)
        tensor([1., 1.])
    """
    check_device(device)
    return Tensor(np.ones(sizes(size), to_numpy_dtype(dtype)), requires_grad)


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

    Example:
        >>> import lenetcli as lenet
        >>> lenet.arange(1, 4)
        tensor([1, 2, 3])
    """
    check_device(device)
    if end is None:
        start, end = 0, start
    whole = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
    kind = to_numpy_dtype(dtype, np.dtype(np.int64) if whole else None)
    return Tensor(np.arange(start, end, step).astype(kind), requires_grad)


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform random numbers in [0, 1). Source: torch.rand (the numbers differ from torch's)."""
    check_device(device)
    kind = to_numpy_dtype(dtype)
    return Tensor(np.asarray(numpy_generator(generator).random(sizes(size), np.float32 if kind == np.float32 else np.float64)).astype(kind, copy=False), requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal random numbers of mean 0 and variance 1. Source: torch.randn (the numbers differ from torch's)."""
    check_device(device)
    kind = to_numpy_dtype(dtype)
    draw = numpy_generator(generator).standard_normal(sizes(size), np.float32 if kind == np.float32 else np.float64)
    return Tensor(np.asarray(draw).astype(kind, copy=False), requires_grad)
