"""Which interval a value falls into, and how many fall into each: searchsorted, bucketize, histc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import quiet, wanted_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | float,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each value would have to be inserted to keep a sequence in order.

    Formula:
        sequence[i - 1] < value <= sequence[i], or with `right` sequence[i - 1] <= value < sequence[i]

    Args:
        sorted_sequence: in ascending order along its last dimension.
        input: a number, or a tensor; where the sequence has more than one dimension, all but the last must be the same.
        out_int32: give int32 instead of int64.
        side: 'left' or 'right', another way to say `right`.
        sorter: indices that put the sequence in order, where it is not.

    Raises:
        RuntimeError: shapes that do not fit; side and right that contradict each other.

    Source: torch.searchsorted.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.searchsorted(lenet.tensor([1.0, 3.0, 5.0]), lenet.tensor([3.0, 4.0]))
        tensor([1, 2])
    """
    wanted_tensors("searchsorted", sorted_sequence)
    edges = sorted_sequence.array
    values = input.array if isinstance(input, Variable) else np.asarray(input, like=edges)
    if side not in (None, "left", "right"):
        raise RuntimeError(f"searchsorted(): side can only be 'left' or 'right' but got {side!r}")
    if side == "left" and right:
        raise RuntimeError("searchsorted(): side and right can't be set to opposites, got side 'left' with right=True")
    if edges.ndim != 1 and (not edges.ndim or values.shape[:-1] != edges.shape[:-1] or not values.ndim):
        raise RuntimeError(
            "searchsorted(): the sequence must have 1 dimension, or all but the last must be those of the input; got "
            f"{list(edges.shape)} and {list(values.shape)}"
        )
    if sorter is not None:
        if sorter.array.shape != edges.shape or sorter.array.dtype != np.int64:
            raise RuntimeError(f"searchsorted(): sorter must be int64 of shape {list(edges.shape)}")
        edges = np.take_along_axis(edges, sorter.array, -1)
    found = _search(edges, values, "right" if right or side == "right" else "left")
    return like(sorted_sequence, found.astype(np.int32 if out_int32 else np.int64))


def _search(edges: Array, values: Array, side: Any) -> Array:
    if edges.ndim == 1:
        found = as_array(np.searchsorted(edges, values, side))
        if side == "left" and values.dtype.kind == "f":  # to torch no element is as great as a NaN, not even another
            found = np.where(np.isnan(values), len(edges), found)
        return found
    found = np.empty(values.shape, np.int64, like=values)
    for row in np.ndindex(edges.shape[:-1]):
        found[row] = _search(edges[row], values[row], side)
    return found


def bucketize(input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the interval between boundaries that each value falls into: `searchsorted(boundaries, input)`.

    Args:
        boundaries: (B,), in ascending order.
        out_int32: give int32 instead of int64.
        right: a value equal to a boundary belongs to the interval above it.

    Raises:
        RuntimeError: boundaries of more than one dimension.

    Source: torch.bucketize.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bucketize(lenet.tensor([0.5, 3.0, 9.0]), lenet.tensor([1.0, 3.0, 5.0]))
        tensor([0, 1, 3])
    """
    wanted_tensors("bucketize", boundaries)
    if boundaries.array.ndim != 1:
        raise RuntimeError(f"bucketize(): boundaries tensor must be 1 dimension, got {boundaries.array.ndim}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@method
@quiet
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` intervals of equal width between min and max.

    Elements outside are not counted; min = max means the range of the elements.

    Raises:
        NotImplementedError: an integer tensor.
        RuntimeError: bins below 1, max below min, or a range that is not finite.

    Source: torch.histc.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.histc(lenet.tensor([1.0, 2.0, 1.0, 4.0]), bins=3, min=1, max=4)
        tensor([2., 1., 1.])
    """
    wanted_tensors("histc", input)
    x = input.array.reshape(-1)
    if x.dtype.kind != "f":
        raise NotImplementedError(f"histc: not implemented for {x.dtype}; convert to float first")
    if bins < 1:
        raise RuntimeError(f"histc(): bins must be > 0, but got {bins}")
    low, high = x.dtype.type(min), x.dtype.type(max)
    if low == high and x.size:
        low, high = x.min(), x.max()
    if low == high:
        low, high = low - 1, high + 1
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"histc: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"histc: max must be larger than min, got {min} and {max}")
    inside = x[(x >= low) & (x <= high)]
    at = ((inside - low) * x.dtype.type(bins) / (high - low)).astype(np.int64)
    return like(input, np.bincount(np.minimum(at, bins - 1), minlength=bins).astype(x.dtype))
