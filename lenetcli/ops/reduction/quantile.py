"""Values at a fraction of the sorted elements: quantile, and the quantile and median without NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.indexing.masked_fill import masked_fill
from lenetcli.ops.indexing.scatter import gather
from lenetcli.ops.indexing.sort import order, sort
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, wanted_tensors
from lenetcli.ops.pointwise.add import lerp, mul, sub
from lenetcli.ops.reduction.max import MedianAll, Pick, median_of_nothing, refuse_empty
from lenetcli.ops.return_types import values_and_indices
from lenetcli.ops.shaping.permute import movedim
from lenetcli.ops.shaping.reshape import reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

NanmedianResult = values_and_indices("nanmedian")
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


class Nanmedian(Pick):
    formula = "y = the middle x along dimension {dim}, NaN left out"
    gradient = ("d_x = grad at the element whose index was given, else 0",)


class NanmedianAll(MedianAll):
    formula = "y = the middle x, NaN left out"
    backward_name = "Nanmedian"

    def forward(ctx: Any, x: Array) -> Array:
        flat = x.reshape(-1)
        y = as_array(flat[_middle_number(flat, 0)[0]]) if x.size else median_of_nothing(x)
        ctx.save(x, y)
        return y


def _middle_number(x: Array, dim: int) -> Array:
    """Indices of the median of the elements that are no NaN, the lower of two (kept as 1)."""
    count = (x == x).sum(axis=dim, keepdims=True)
    return np.take_along_axis(order(x, dim), np.maximum(count - 1, 0) // 2, dim)


@method
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """`median` of the elements that are no NaN; NaN where there are none.

    Gradient:
        Of everything: divided evenly among the elements that equal the median. Over a dimension: to the element at the
        index.

    Raises:
        IndexError: a dimension of size 0.

    Source: torch.nanmedian.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nanmedian(lenet.tensor([3.0, float("nan"), 1.0, 2.0]))
        tensor(2.)
    """
    wanted_tensors("nanmedian", input)
    if dim is None:
        return NanmedianAll.apply(input)
    x = input.array
    along = axis(dim, x.ndim)
    refuse_empty("nanmedian", x.shape, (along,))
    at = _middle_number(x, along) if x.ndim else np.zeros((), np.int64, like=x)
    return NanmedianResult(*Nanmedian.apply(input, at=at, dim=along, keepdim=keepdim))


@method
def quantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The value below which a fraction q of the elements lies, over a dimension or over everything; NaN if one is NaN.

    Formula:
        With the elements sorted and rank = q (n - 1), between those at floor(rank) and ceil(rank): 'linear' by the
        rank's fraction, 'midpoint' half way, 'lower' and 'higher' one of them, 'nearest' the nearer (even) one.

    Args:
        q: in [0, 1]; a number, or a tensor (K,) of the input's type for several quantiles.

    Shape:
        As for other reductions, after a first dimension K where q has one.

    Gradient:
        To the one or two elements that make the value.

    Raises:
        RuntimeError: q outside [0, 1] or of another type, an input that is empty or of integers, an unknown
            interpolation.

    Source: torch.quantile.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.quantile(lenet.tensor([0.0, 1.0, 2.0, 4.0]), lenet.tensor([0.5, 1.0]))
        tensor([1.5000, 4.0000])
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@method
def nanquantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """`quantile` of the elements that are no NaN; NaN where there are none. Source: torch.nanquantile.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nanquantile(lenet.tensor([float("nan"), 1.0, 2.0]), 0.5)
        tensor(1.5000)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool
) -> Tensor:
    wanted_tensors(name, input)
    x = input.array
    if not x.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if x.dtype not in (np.float32, np.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype, got {x.dtype}")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(f"{name}() interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation}")
    if not isinstance(q, Variable):
        q = like(input, np.asarray(q, x.dtype, like=x))
    if q.array.dtype != x.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor, got {q.array.dtype}")
    if q.array.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, got {q.array.ndim} dimensions")
    if not ((q.array >= 0) & (q.array <= 1)).all():
        raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q.array.tolist()}")
    along = axis(dim, x.ndim) if dim is not None else 0
    rows = reshape(input, -1) if dim is None or not x.ndim else movedim(input, along, -1)
    out = movedim(_at_ranks(sort(rows)[0], reshape(q, -1), interpolation, skip_nan), -1, 0)  # (K, ...)
    if keepdim:
        left = tuple(1 if dim is None or d == along else size for d, size in enumerate(x.shape))
    else:
        left = rows.array.shape[:-1]
    return reshape(out, q.array.shape + left)


def _at_ranks(ordered: Tensor, q: Tensor, interpolation: str, skip_nan: bool) -> Tensor:
    """Sorted rows (..., n) and fractions (K,) -> (..., K)"""
    x = ordered.array
    missing = np.isnan(x).sum(axis=-1, keepdims=True)
    last = np.maximum(x.shape[-1] - 1 - (missing if skip_nan else 0 * missing), 0).astype(x.dtype)
    ranks = mul(q, like(q, last))
    if not skip_nan:
        ranks = masked_fill(ranks, like(q, missing > 0), x.shape[-1] - 1)  # NaN is the last one
    below, above = np.floor(ranks.array), np.ceil(ranks.array)
    if interpolation in ("lower", "higher", "nearest"):
        at = {"lower": below, "higher": above, "nearest": np.round(ranks.array)}[interpolation]
        return gather(ordered, -1, like(q, at.astype(np.int64)))
    low, high = (gather(ordered, -1, like(q, at.astype(np.int64))) for at in (below, above))
    weight = like(q, np.full_like(below, 0.5)) if interpolation == "midpoint" else sub(ranks, like(q, below))
    return lerp(low, high, weight)
