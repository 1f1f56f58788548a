"""Loss functions: how far an output is from its target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.ops.operands import broadcast_shape, together

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str) -> None:
    """Refuses what is not one of none, mean and sum."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction!r} is not a valid value for reduction; use one of {', '.join(REDUCTIONS)}")


def reduced(values: Array, reduction: str) -> Array:
    """Losses of single elements, brought together (NaN as the mean of nothing)."""
    if reduction == "none":
        return values
    total = np.asarray(values.sum())
    if reduction == "sum":
        return total
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / values.dtype.type(values.size))


def scaled(grad: Array, count: int, reduction: str) -> Array:
    """The gradient of a reduced loss with respect to each of `count` element losses (broadcasts over them)."""
    return grad / grad.dtype.type(count) if reduction == "mean" and count else grad


class MseLoss(Op):
    @staticmethod
    def forward(ctx: Any, x: Array, target: Array, *, reduction: str) -> Array:
        x, target = together(x, target)
        d = x - target
        ctx.save(d)
        ctx.reduction = reduction
        return reduced(d * d, reduction)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        (d,) = ctx.saved
        need_x, need_target = ctx.needs_input_grad
        d_x = scaled(grad, d.size, ctx.reduction) * 2 * d
        return d_x if need_x else None, -d_x if need_target else None


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Mean squared error.

    Formula:
        (input - target)^2, its mean, or its sum

    Args:
        input, target: of the same shape (others broadcast, with a warning, as in torch).
        reduction: 'mean', 'sum' or 'none'.

    Source: torch.nn.functional.mse_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.mse_loss(lenet.tensor([1.0, 2.0]), lenet.tensor([0.0, 4.0]))
        tensor(2.5000)
    """
    check_reduction(reduction)
    warn_broadcast("mse_loss", input, target)
    return MseLoss.apply(input, target, reduction=reduction)


def warn_broadcast(name: str, input: Tensor, target: Tensor) -> None:
    """Warns, as torch does, where input and target have different shapes: it is nearly always a mistake."""
    if input.array.shape != target.array.shape:
        broadcast_shape(input.array.shape, target.array.shape)
        import warnings

        warnings.warn(
            f"{name}: using a target size ({list(target.array.shape)}) that is different to the input size "
            f"({list(input.array.shape)}); this will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            UserWarning,
            stacklevel=3,
        )


class LogSoftmax(Op):
    @staticmethod
    def forward(ctx: Any, x: Array, *, dim: int) -> Array:
        shifted = x - x.max(axis=dim, keepdims=True, initial=-np.inf)
        y = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
        ctx.save(y)
        ctx.dim = dim
        return y

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        return grad - np.exp(y) * grad.sum(axis=ctx.dim, keepdims=True)


class NllLoss(Op):
    """Picks the log-probability of each target class: (N, C) and (N,) integers."""

    @staticmethod
    def forward(ctx: Any, log_p: Array, target: Array, *, reduction: str) -> Array:
        rows = np.arange(len(target))
        ctx.shape, ctx.target, ctx.reduction = log_p.shape, target.copy(), reduction
        ctx.kind = log_p
        return reduced(-log_p[rows, target], reduction)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        d_log_p = np.zeros_like(ctx.kind)
        count = ctx.target.size
        d_log_p[np.arange(count), ctx.target] = -scaled(grad, count, ctx.reduction)
        return d_log_p, None


def cross_entropy(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Cross entropy between logits (N, C) and class indices (N,)."""
    check_reduction(reduction)
    if input.array.ndim != 2 or target.array.shape != input.array.shape[:1]:
        raise ShapeError(
            f"cross_entropy: wanted logits (N, C) and targets (N,), got {list(input.array.shape)}, {list(target.array.shape)}"
        )
    return NllLoss.apply(LogSoftmax.apply(input, dim=1), target, reduction=reduction)
