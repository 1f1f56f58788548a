"""Sums, means and maxima of the rows of a table that bags of indices name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.ops.nn.embedding import embedding, row

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

_MODES = ("sum", "mean", "max")


@whole
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Looks up the rows of a table for bags of indices, and gives one vector for each bag.

    Formula:
        y[b] = sum, mean or max of weight[i] over i in bag b; 0 for an empty bag

    Args:
        input: indices, integers in [0, V).
        weight: the table.
        offsets: where each bag begins in an `input` of one dimension.
        max_norm: rows that are looked up and longer than this are first shortened to it, in place.
        norm_type: order of the norm for `max_norm`.
        scale_grad_by_freq: must be False: torch 2.13 divides by the counts of other rows than it says.
        mode: "sum", "mean" or "max".
        sparse: must be False.
        per_sample_weights: factors of the rows, of the input's shape; for "sum" only.
        include_last_offset: the last of `offsets` is where the last bag ends.
        padding_idx: a row that is left out of the bags; a negative one counts from the end.

    Shape:
        input (B, N), or (N,) with offsets (B,), or (B + 1,) with the last one; weight (V, D) -> (B, D)

    Gradient:
        Of "max", to the first of equal rows.

    Raises:
        IndexError: an index outside of the table.
        ValueError: shapes, offsets or a mode that cannot be.
        RuntimeError: indices that are no integers, or offsets that do not begin at 0, go down, or go beyond the input.
        NotImplementedError: `scale_grad_by_freq` or `sparse`, or `per_sample_weights` with another mode than "sum".

    Source: torch.nn.functional.embedding_bag.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> table = lenet.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> F.embedding_bag(lenet.tensor([0, 2, 1]), table, lenet.tensor([0, 2]), mode="sum")
        tensor([[6., 8.],
                [3., 4.]])
    """
    if mode not in _MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError("max mode does not support scaling the gradient by the frequency, nor sparse weights")
    if sparse:
        raise NotImplementedError("embedding_bag: sparse=True is not supported: gradients are dense")
    if scale_grad_by_freq:
        raise NotImplementedError("embedding_bag: scale_grad_by_freq=True is not supported; use embedding and sum(1)")
    if per_sample_weights is not None:
        if per_sample_weights.shape != input.shape:
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
                f"same shape as the input ({input.shape})"
            )
        if mode != "sum":
            raise NotImplementedError(
                f"embedding_bag: per_sample_weights is only supported for mode='sum', got {mode!r}"
            )
    if weight.array.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.array.ndim}")
    starts, stop = _starts(input, offsets, include_last_offset)
    index, count = input.reshape(-1), len(starts)
    bag = np.searchsorted(starts, np.arange(stop), side="right") - 1  # of each index; empty bags have none
    keep = np.arange(stop)
    padding = row(padding_idx, len(weight.array))
    if padding is not None:
        keep = np.flatnonzero(np.asarray(_host(index.array[:stop])) != padding)
        bag = bag[keep]
    at: Any = like(weight, beside(weight.array, keep))
    found: Any = embedding(index.index_select(0, at), weight, None, max_norm, norm_type)  # (K, D)
    if mode == "max":
        return _greatest(found, bag, count)
    if per_sample_weights is not None:
        found = found * per_sample_weights.reshape(-1).index_select(0, at).unsqueeze(1)
    zeros: Any = like(weight, np.zeros_like(weight.array, shape=(count, weight.array.shape[1])))
    total: Tensor = zeros.index_add(0, like(weight, beside(weight.array, bag)), found)
    if mode == "mean":
        sizes = np.maximum(np.bincount(bag, minlength=count), 1)[:, None]
        total = total / like(weight, beside(weight.array, sizes.astype(weight.array.dtype)))
    return total


def _host(array: Any) -> Any:
    return array if isinstance(array, np.ndarray) else array.get()


def _starts(input: Tensor, offsets: Tensor | None, include_last: bool) -> tuple[Array, int]:
    """Where each bag begins among all indices, and where the last one ends."""
    shape = input.array.shape
    if len(shape) == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
        return np.arange(shape[0]) * shape[1], shape[0] * shape[1]
    if len(shape) != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {len(shape)}")
    if not isinstance(offsets, Variable):
        raise ValueError(f"offsets has to be a 1D Tensor but got {type(offsets)}")
    if offsets.array.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    starts: Array = _host(offsets.array).astype(np.int64)
    if include_last and not starts.size:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if starts.size and starts[0]:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {starts[0]}"
        )
    if starts.size and starts[-1] > shape[0]:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {shape[0]} but got offsets[-1] of {starts[-1]}"
        )
    if (np.diff(starts) < 0).any():
        raise RuntimeError(f"embedding_bag: offsets must not go down, got {starts.tolist()}")
    if include_last:
        return starts[:-1], int(starts[-1])
    return starts, shape[0] if starts.size else 0


def _greatest(found: Any, bag: Array, count: int) -> Any:
    """The greatest of the rows of each bag, element by element."""
    sizes = np.bincount(bag, minlength=count)
    longest = int(sizes.max(initial=0))
    if not longest:
        return found.sum(0) * 0 + found.new_zeros((count, found.shape[1]))
    place = np.arange(len(bag)) - (np.cumsum(sizes) - sizes)[bag]
    at = np.zeros((count, longest), np.int64)  # of each place of a bag in `found`
    at[bag, place] = np.arange(len(bag))
    missing = np.arange(longest) >= sizes[:, None]
    rows = found.index_select(0, like(found, beside(found.array, at.reshape(-1))))
    rows = rows.reshape(count, longest, -1)
    rows = rows.masked_fill(like(found, beside(found.array, missing[..., None])), -np.inf)
    empty = like(found, beside(found.array, (sizes == 0)[:, None]))
    return rows.max(1)[0].masked_fill(empty, 0.0)
