"""Multi-class hinge losses: the scores of the right classes should exceed those of the others by a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.kernels.scan import running
from lenetcli.kernels.scatter import add_at
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.nn.mse_loss import check_reduction, reduced, scaled
from lenetcli.ops.operands import number, quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class MultiMarginLoss(Op):
    formula = "y = {reduction} of Σ_c max(0, {margin:g} − x[n,t] + x[n,c])^{p} / classes, t = target[n]"
    gradient = ("d_x = ±grad where the margin is not kept",)

    @quiet
    def forward(
        ctx: Any, x: Array, *, target: Array, p: int, margin: float, weight: Array | None, reduction: str
    ) -> Array:
        scores, shape = np.atleast_2d(x), target.shape  # (N, C)
        rows, target = np.arange(len(scores), like=scores), target.reshape(-1)
        missed = margin - scores[rows, target][:, None] + scores
        short = np.fmax(missed, 0)  # by how much the margin is missed; where that is NaN, not at all, as in torch
        short[rows, target] = 0
        share = np.full_like(short, 1 / scores.shape[1])
        if weight is not None:
            share *= weight[target][:, None]
        ctx.save(short)
        ctx.index, ctx.share, ctx.p, ctx.reduction = (rows, target), share, p, reduction
        ctx.shape = x.shape
        losses = sum_over(share * (short if p == 1 else short * short), 1)
        return reduced(losses.reshape(shape), reduction)

    def backward(ctx: Any, grad: Array) -> Array:
        (short,) = ctx.saved
        grad = scaled(grad, len(short), ctx.reduction)
        d_x = ctx.share * grad.reshape(-1, 1) * ((short > 0) if ctx.p == 1 else short)
        if ctx.p == 2:
            d_x *= 2
        d_x[ctx.index] = 0 - sum_over(d_x, 1)
        return d_x.reshape(ctx.shape)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Multi-class hinge loss: the right class should score higher than every other by `margin`.

    Formula:
        sum over classes c other than t of weight[t] max(0, margin - input[t] + input[c])^p / C, t the target

    Args:
        input: scores.
        target: class indices, int64.
        p: 1 or 2.
        weight: of each class. No gradient flows to it.
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        input (N, C), target (N,); or (C,) and ()

    Gradient:
        0 where a score meets the margin exactly.

    Raises:
        ValueError: p is neither 1 nor 2, weight has not one dimension, or an unknown reduction.
        RuntimeError: a target that is no class.
        ShapeError: sizes that do not fit.

    Source: torch.nn.functional.multi_margin_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.multi_margin_loss(lenet.tensor([[0.1, 0.2, 0.4, 0.8]]), lenet.tensor([3]))
        tensor(0.3250)
    """
    check_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, got {p}")
    x, classes = _scores("multi_margin_loss", input), target.array
    count = x.shape[-1] if x.ndim else 1
    wanted = x.shape[:1] if x.ndim == 2 else ()
    if classes.shape != wanted and not (wanted == () and classes.shape == (1,)):
        raise ShapeError(
            f"multi_margin_loss: expected target size {list(wanted)}, but got {list(classes.shape)} "
            f"for input {list(x.shape)}"
        )
    _check_indices("multi_margin_loss", classes, 0, count)
    if weight is not None:
        if weight.array.ndim != 1:
            raise ValueError(f"weight must be one-dimensional, got {list(weight.array.shape)}")
        if weight.array.size != count:
            raise ShapeError(f"inconsistent weight size, expected {count} but got {list(weight.array.shape)}")
        if weight.requires_grad:
            raise RuntimeError("multi_margin_loss is not differentiable with respect to weight; use weight.detach()")
    return MultiMarginLoss.apply(
        input,
        target=classes.copy(),
        p=p,
        margin=number(margin),
        weight=None if weight is None else weight.array,
        reduction=reduction,
    )


def _scores(name: str, input: Tensor) -> Array:
    x = input.array
    if x.ndim > 2 or (x.ndim and not x.shape[-1]):
        raise ShapeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(x.shape)}"
        )
    if x.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {x.dtype}; convert to float first")
    return x


def _check_indices(name: str, classes: Array, least: int, count: int) -> None:
    if classes.dtype != np.int64:
        raise RuntimeError(f"{name}: expected target dtype to be int64, but got {classes.dtype}; use target.long()")
    if classes.size and not (classes.min() >= least and classes.max() < count):
        raise RuntimeError(f"{name}: target is out of range: class indices run from {least} to {count - 1}")


class MultilabelMarginLoss(Op):
    formula = "y = {reduction} of Σ max(0, 1 − x[n,t] + x[n,c]) / classes"
    gradient = ("d_x = ±grad where the margin is not kept",)

    @quiet
    def forward(ctx: Any, x: Array, *, target: Array, reduction: str) -> Array:
        scores, labels = np.atleast_2d(x), np.atleast_2d(target)  # (N, C)
        counts = running(np.logical_and, labels >= 0, 1)  # the labels up to the first -1
        labels = np.where(counts, labels, 0)
        wrong = np.ones_like(scores, bool)
        wrong[np.nonzero(counts)[0], labels[counts]] = False
        right = np.take_along_axis(scores, labels, axis=1)
        short = 1 - right[:, :, None] + scores[:, None, :]  # (N, label, class)
        missed = (short > 0) & counts[:, :, None] & wrong[:, None, :]
        ctx.save(missed)
        ctx.labels, ctx.reduction, ctx.shape = labels, reduction, x.shape
        losses = sum_over(np.where(missed, short, x.dtype.type(0)), (1, 2)) / scores.shape[1]
        return reduced(losses if x.ndim > 1 else losses.reshape(()), reduction)

    def backward(ctx: Any, grad: Array) -> Array:
        (missed,) = ctx.saved
        grad = (scaled(grad, len(missed), ctx.reduction) / missed.shape[2]).reshape(-1, 1)
        d_x = missed.sum(axis=1).astype(grad.dtype, order="C")
        rows = np.arange(len(missed), like=missed)[:, None] * missed.shape[2]
        add_at(d_x, rows + ctx.labels, -missed.sum(axis=2).astype(grad.dtype))
        return (d_x * grad).reshape(ctx.shape)


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: None = None, reduce: None = None, reduction: str = "mean"
) -> Tensor:
    """Multi-label hinge loss: every right class should score higher than every other by 1.

    Formula:
        sum over labels j and classes c that are no label of max(0, 1 - input[j] + input[c]) / C

    Args:
        input: scores.
        target: the labels of each sample, int64; those from the first -1 on do not count.
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        input and target (N, C) or (C,)

    Gradient:
        0 where a score meets the margin exactly.

    Raises:
        ValueError: an unknown reduction.
        RuntimeError: a target that is no class.
        ShapeError: sizes that do not fit.

    Source: torch.nn.functional.multilabel_margin_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.multilabel_margin_loss(lenet.tensor([[0.1, 0.2, 0.4, 0.8]]), lenet.tensor([[3, 0, -1, 1]]))
        tensor(0.8500)
    """
    check_reduction(reduction, size_average, reduce)
    x = _scores("multilabel_margin_loss", input)
    if target.array.shape != x.shape:
        raise ShapeError(f"inconsistent target size: {list(target.array.shape)} for input of size: {list(x.shape)}")
    _check_indices("multilabel_margin_loss", target.array, -1, x.shape[-1] if x.ndim else 1)
    return MultilabelMarginLoss.apply(input, target=target.array, reduction=reduction)
