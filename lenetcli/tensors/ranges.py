"""New tensors whose values are counted: ranges, the identity, places in triangles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import to_numpy_dtype
from lenetcli.ops.operands import sizes
from lenetcli.tensors.creation import number_of, shape_of, tensor_of
from lenetcli.tensors.tensor import Tensor


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
    return tensor_of(np.eye(rows, columns, dtype=to_numpy_dtype(dtype)), dtype, device, requires_grad)


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
    start, end, step = map(number_of, (start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: upper bound and lower bound inconsistent with step sign: {start}, {end}, {step}")
    whole = all(isinstance(v, int) for v in (start, end, step))
    count = -((start - end) // step) if whole else math.ceil((end - start) / step)
    values = start + np.arange(count) * step  # not np.arange: its float step is rounded twice
    return tensor_of(values, dtype, device, requires_grad, np.dtype(np.int64) if whole else None)


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
    return tensor_of(np.linspace(start, end, steps), dtype, device, requires_grad)


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
    return tensor_of(base ** np.linspace(float(start), float(end), steps), dtype, device, requires_grad)


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
    return tensor_of(np.stack(places(rows, offset, columns)), dtype, device, requires_grad, kind)
