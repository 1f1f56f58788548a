"""Different values and how often they occur: unique, unique_consecutive, isin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, wanted_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Unique2(Op):
    """Values found elsewhere, on the tape: they have no gradient, and asking for it is an error."""

    formula = "y = the different values of x"
    gradient = ("d_x = grad has no way back, as in torch",)

    def forward(ctx: Any, x: Array, *, found: Array) -> Array:
        return found

    def backward(ctx: Any, grad: Array) -> Any:
        raise NotImplementedError(f"the derivative of {ctx.name().removesuffix('Backward')} is not implemented")


class UniqueDim(Unique2):
    pass


class UniqueConsecutive(Unique2):
    pass


def _runs(rows: Array) -> tuple[Array, Array, Array]:
    """Where a run of equal rows (n, m) starts, the number of the run of each row, and the runs' lengths."""
    n = len(rows)
    new = np.ones_like(rows, np.bool_, shape=(n,))
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    return starts, np.cumsum(new) - 1, np.diff(np.append(starts, n))


def _as_rows(x: Array, dim: int | None) -> Array:
    """The elements, or the slices along an axis, as rows (n, m)."""
    if dim is None:
        return x.reshape(-1, 1)
    along = np.moveaxis(x, dim, 0)
    return along.reshape(len(along), -1) if x.size else np.zeros((len(along), 0), x.dtype, like=x)


def _refuse_empty_slices(x: Array, dim: int | None) -> None:
    if dim is not None and 0 in x.shape[:dim] + x.shape[dim + 1 :]:
        raise RuntimeError(f"unique along {dim} of shape {list(x.shape)}: the slices are empty and cannot be compared")


def _own_axis(x: Array, dim: int | None) -> int | None:
    if dim is not None and not x.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return None if dim is None else axis(dim, x.ndim)


def _results(op: type[Op], input: Tensor, dim: int | None, first: Array, *more: tuple[bool, Array]) -> Any:
    """The values at the first element (or slice) of each run, with those of the other results that are asked for."""
    x = input.array
    found = x.reshape(-1)[first] if dim is None else np.take(x, first, axis=dim)
    values = op.apply(input, found=found)
    asked = [like(input, result.astype(np.int64, copy=False)) for wanted, result in more if wanted]
    return (values, *asked) if asked else values


@method
@whole
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different values in ascending order, or the different slices along a dimension in lexicographic order.

    Every NaN counts as a value of its own.

    Args:
        sorted: they are in order anyway.
        return_inverse: also where each element is in the result, in the input's shape (or one number per slice).
        return_counts: also how often each occurs.
        dim: compare slices along this dimension.

    Gradient:
        None: backward through the values raises.

    Raises:
        IndexError: dim out of range.
        RuntimeError: slices without elements.

    Source: torch.unique.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.unique(lenet.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    wanted_tensors("unique", input)
    x = input.array
    along = _own_axis(x, dim)
    _refuse_empty_slices(x, along)
    rows = _as_rows(x, along)
    order = np.lexsort(rows.T[::-1]) if rows.size else np.arange(len(rows), like=rows)
    starts, number, counts = _runs(rows[order])
    inverse: Array = np.empty(len(rows), np.int64, like=rows)
    inverse[order] = number
    if along is None:
        inverse = inverse.reshape(x.shape)
    op = Unique2 if along is None else UniqueDim
    return _results(op, input, along, order[starts], (return_inverse, inverse), (return_counts, counts))


@method
@whole
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The first of every run of equal elements (or of equal slices along a dimension).

    Args:
        as for `unique`.

    Source: torch.unique_consecutive.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.unique_consecutive(lenet.tensor([1, 1, 2, 1]), return_counts=True)
        (tensor([1, 2, 1]), tensor([2, 1, 1]))
    """
    wanted_tensors("unique_consecutive", input)
    x = input.array
    along = _own_axis(x, dim)
    _refuse_empty_slices(x, along)
    starts, number, counts = _runs(_as_rows(x, along))
    inverse = number.reshape(x.shape) if along is None else number
    return _results(UniqueConsecutive, input, along, starts, (return_inverse, inverse), (return_counts, counts))


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """For each element, whether it is among the test elements.

    Args:
        elements, test_elements: tensors; one of them may be a number.
        assume_unique: has no effect.
        invert: whether it is not among them.

    Source: torch.isin.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.isin(lenet.tensor([1, 2, 3]), lenet.tensor([2, 5]))
        tensor([False,  True, False])
    """
    example = elements if isinstance(elements, Variable) else test_elements
    wanted_tensors("isin", example)
    where = example.array
    a, b = (x.array if isinstance(x, Variable) else np.asarray(x, like=where) for x in (elements, test_elements))
    return like(example, as_array(np.isin(a, b, invert=invert)))
