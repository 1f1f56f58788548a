"""Tables of vectors looked up by index, and one-hot vectors."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.kernels.scatter import scattered
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Embedding(Op):
    formula = "y = weight[index]"
    gradient = ("d_weight[i] = Σ of grad where index = i",)
    backward_graph = linear

    def forward(ctx: Any, weight: Array, *, index: Array, padding: int | None, by_frequency: bool) -> Array:
        ctx.index, ctx.shape, ctx.padding, ctx.by_frequency = index, weight.shape, padding, by_frequency
        return weight[index]

    def backward(ctx: Any, grad: Array) -> Array:
        rows, width = ctx.shape
        d_weight = scattered(ctx.shape, ctx.index[..., None] * width + np.arange(width, like=grad), grad)
        if ctx.by_frequency:
            counts = np.bincount(ctx.index.reshape(-1), minlength=rows)
            d_weight /= np.maximum(counts, 1)[:, None].astype(grad.dtype)
        if ctx.padding is not None:
            d_weight[ctx.padding] = 0
        return d_weight

    def jvp(ctx: Any, tangent: Array) -> Array:
        rows = tangent.copy(order="C")
        if ctx.padding is not None:
            rows[ctx.padding] = 0
        if ctx.by_frequency:
            counts = np.bincount(ctx.index.reshape(-1), minlength=len(rows))
            rows /= np.maximum(counts, 1)[:, None].astype(rows.dtype)
        return rows[ctx.index]


@whole
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Looks up rows of a table.

    Formula:
        y[i] = weight[input[i]]

    Args:
        input: indices, integers in [0, V).
        weight: the table.
        padding_idx: a row that gets no gradient; a negative one counts from the end.
        max_norm: rows that are looked up and longer than this are first shortened to it, in place.
        norm_type: order of the norm for `max_norm`.
        scale_grad_by_freq: divide each row's gradient by how often it is looked up.
        sparse: must be False.

    Shape:
        input (*), weight (V, D) -> (*, D)

    Raises:
        IndexError: an index outside of the table.
        ValueError: a `padding_idx` outside of the table.
        RuntimeError: indices that are no integers.
        ShapeError: a table that is no matrix.

    Source: torch.nn.functional.embedding.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.embedding(lenet.tensor([1, 0]), lenet.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.],
                [1., 2.]])
    """
    if sparse:
        raise NotImplementedError("embedding: sparse=True is not supported: gradients are dense")
    index, table = input.array, weight.array
    if table.ndim != 2:
        raise ShapeError(f"embedding: 'weight' must be 2-D, got shape {list(table.shape)}")
    if index.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"embedding: expected indices of type int64 or int32, got {input.dtype}")
    padding = row(padding_idx, len(table))
    outside = index[(index < 0) | (index >= len(table))]
    if outside.size:
        raise IndexError(f"embedding: index {outside[0]} out of range: the table has {len(table)} rows")
    if max_norm is not None:
        _shorten(table, np.unique(index), max_norm, norm_type)
        weight.counter[0] += 1
    return Embedding.apply(weight, index=index.copy(), padding=padding, by_frequency=scale_grad_by_freq)


def row(padding_idx: int | None, rows: int) -> int | None:
    """The row that `padding_idx` means, counted from the front.

    Raises:
        ValueError: outside of the table.
    """
    if padding_idx is None:
        return None
    padding_idx, rows = index(padding_idx), index(rows)
    if not -rows <= padding_idx < rows:
        raise ValueError(f"padding_idx must be within the {rows} rows of the table, got {padding_idx}")
    return padding_idx % rows


@quiet
def _shorten(table: Array, rows: Array, max_norm: float, order: float) -> None:
    lengths = np.linalg.norm(table[rows], order, axis=1)
    long = lengths > max_norm
    table[rows[long]] *= (max_norm / (lengths[long] + 1e-7)).astype(table.dtype)[:, None]


@whole
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Vectors of zeros with a 1 at each index.

    Args:
        tensor: indices, int64.
        num_classes: length of the vectors; -1 means the greatest index plus one.

    Shape:
        (*) -> (*, num_classes), int64

    Raises:
        RuntimeError: another type, negative indices, or indices beyond `num_classes`.

    Source: torch.nn.functional.one_hot.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.one_hot(lenet.tensor([0, 2]))
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    index = tensor.array
    if index.dtype != np.int64:
        raise RuntimeError(f"one_hot is only applicable to index tensors of type int64, got {tensor.dtype}")
    if index.size == 0 and num_classes <= 0:
        raise RuntimeError("one_hot: can not infer total number of classes from empty tensor")
    if index.size and index.min() < 0:
        raise RuntimeError("one_hot: class values must be non-negative")
    count = int(index.max()) + 1 if num_classes == -1 else num_classes
    if count < 1 or (index.size and index.max() >= count):
        raise RuntimeError("one_hot: class values must be smaller than num_classes")
    return like(tensor, (index[..., None] == np.arange(count, like=index)).astype(np.int64))
