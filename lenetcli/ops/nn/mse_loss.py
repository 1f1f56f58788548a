"""Losses of regression: how far an output is from its target. The rules of `reduction` that all losses share."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import standing_for
from lenetcli.autograd.tape import Variable
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import select
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.operands import broadcast_shape, number, quiet, together

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, size_average: None = None, reduce: None = None) -> None:
    """Refuses what is not one of none, mean and sum, and torch's deprecated arguments.

    Raises:
        ValueError: another reduction.
        NotImplementedError: `size_average` or `reduce` is given.
    """
    if size_average is not None or reduce is not None:
        name = "reduce" if size_average is None else "size_average"
        raise NotImplementedError(
            f"{name} is deprecated in torch and not supported; use reduction='mean', 'sum' or 'none'"
        )
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction!r} is not a valid value for reduction; use one of {', '.join(REDUCTIONS)}")


def reduced(values: Array, reduction: str) -> Array:
    """Losses of single elements, brought together (NaN as the mean of nothing)."""
    if reduction == "none":
        return values
    total = sum_over(values)
    if reduction == "sum":
        return total
    with np.errstate(divide="ignore", invalid="ignore"):
        return as_array(total / values.dtype.type(values.size))


def scaled(grad: Array, count: int, reduction: str) -> Array:
    """The gradient of a reduced loss with respect to each of `count` element losses (broadcasts over them)."""
    return grad / grad.dtype.type(count) if reduction == "mean" and count else grad


def brought_together(losses: Tensor, reduction: str) -> Tensor:
    """`reduced` as ops on a tensor, for losses that are made of other ops."""
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def warn_broadcast(name: str, input: Tensor, target: Tensor) -> None:
    """Warns, as torch does, where input and target have different shapes: it is nearly always a mistake.

    Raises:
        TypeError: one of them is no tensor.
        ShapeError: the shapes do not broadcast.
    """
    if not isinstance(input, Variable) or not isinstance(target, Variable):
        got = f"{type(input).__name__} and {type(target).__name__}"
        raise TypeError(f"{name}: input and target must be tensors, got {got}")
    if input.array.shape != target.array.shape:
        broadcast_shape(input.array.shape, target.array.shape)
        warnings.warn(
            f"{name}: using a target size ({list(target.array.shape)}) that is different to the input size "
            f"({list(input.array.shape)}); this will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            UserWarning,
            stacklevel=3,
        )


class DistanceLoss(Op):
    """A loss of the difference d = input - target: `value(d, *constants)`, with `slope(d, *constants)` as gradient."""

    value: ClassVar[Any]
    slope: ClassVar[Any]
    slope_graph: ClassVar[Any]  # the slope over tensors

    @quiet
    def forward(ctx: Any, x: Array, target: Array, *, reduction: str, constants: tuple[float, ...] = ()) -> Array:
        x, target = together(x, target)
        d = x - target
        ctx.save(d)
        ctx.reduction, ctx.constants = reduction, constants
        return reduced(ctx.value(d, *constants), reduction)

    def backward(ctx: Any, grad: Array) -> Any:
        (d,) = ctx.saved
        need_x, need_target = ctx.needs_input_grad
        d_x = scaled(grad, d.size, ctx.reduction) * ctx.slope(d, *ctx.constants)
        return d_x if need_x else None, -d_x if need_target else None

    def backward_graph(ctx: Any, grad: Any) -> Any:
        ctx.check_saved()
        (d,) = ctx.saved
        difference = standing_for(ctx, 0, d) - standing_for(ctx, 1, np.zeros_like(d))
        if ctx.reduction == "mean" and d.size:
            grad = grad / d.size
        d_x = grad * ctx.slope_graph(difference, *ctx.constants)
        need_x, need_target = ctx.needs_input_grad
        return d_x if need_x else None, -d_x if need_target else None


class MseLoss(DistanceLoss):
    formula = "y = {reduction} of d², d = x − target"
    gradient = ("d_x = grad · 2 d{share}", "d_target = −d_x")
    value = staticmethod(lambda d: d * d)
    slope = slope_graph = staticmethod(lambda d: 2 * d)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        x, target, reduction = seen["x"], seen["target"], seen.parameters["reduction"]
        if x.shape != target.shape or reduction == "none":
            return None
        d = (x.astype(np.float64) - target).reshape(-1)
        numbers, value = seen.terms((f"{seen.number(v)}²" for v in d), d.size), float(d.dot(d))
        if reduction == "sum":
            return "y = Σ (x − target)²", numbers, value
        return "y = mean of (x − target)²", f"({numbers}) / {d.size}", value / d.size

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        x, target, reduction, n = seen["x"], seen["target"], seen.parameters["reduction"], seen.number
        if x.shape != target.shape or reduction == "none":
            return None
        grad, (left, right) = float(seen.grad), (float(x[at]), float(target[at]))
        numbers, value = f"{n(grad)}·2·({n(left)} − {n(right)})", grad * 2 * (left - right)
        if reduction == "sum":
            return f"{seen.element('d_x', at)} = grad·2 (x − target)", numbers, value
        return f"{seen.element('d_x', at)} = grad·2 (x − target) / count", f"{numbers} / {x.size}", value / x.size


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Mean squared error.

    Formula:
        (input - target)^2, its mean, or its sum; with weights w (input - target)^2, the mean being divided by sum(w)

    Args:
        input, target: of the same shape (others broadcast, with a warning, as in torch).
        reduction: 'mean', 'sum' or 'none'.
        weight: of each element, in the shape of input.

    Raises:
        ValueError: an unknown reduction, or weights of another shape.
        NotImplementedError: integers.

    Source: torch.nn.functional.mse_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.mse_loss(lenet.tensor([1.0, 2.0]), lenet.tensor([0.0, 4.0]))
        tensor(2.5000)
    """
    check_reduction(reduction, size_average, reduce)
    warn_broadcast("mse_loss", input, target)
    if weight is not None:
        return _weighted((input - target) ** 2, input, weight, reduction)
    _refuse_integers("mse_loss", input, target)
    return MseLoss.apply(input, target, reduction=reduction)


def _refuse_integers(name: str, input: Tensor, target: Tensor) -> None:
    if input.array.dtype.kind != "f" and target.array.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.array.dtype}; convert to float first")


def _weighted(losses: Tensor, input: Tensor, weight: Tensor, reduction: str) -> Tensor:
    _check_same_size(input, weight)
    losses = losses * weight
    return losses.sum() / weight.sum() if reduction == "mean" else brought_together(losses, reduction)


def _check_same_size(input: Tensor, weight: Tensor) -> None:
    if weight.array.shape != input.array.shape:
        raise ValueError(
            f"Weights and input must have the same size, got {list(weight.array.shape)} and {list(input.array.shape)}"
        )


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Mean absolute error.

    Formula:
        |input - target|, its mean, or its sum; with weights w |input - target|, the mean being divided by sum(w)

    Args:
        input, target: of the same shape (others broadcast, with a warning, as in torch).
        reduction: 'mean', 'sum' or 'none'.
        weight: of each element, in the shape of input.

    Gradient:
        sign(input - target); 0 where they are equal.

    Raises:
        ValueError: an unknown reduction, or weights of another shape.

    Source: torch.nn.functional.l1_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.l1_loss(lenet.tensor([1.0, 2.0]), lenet.tensor([0.0, 4.0]))
        tensor(1.5000)
    """
    check_reduction(reduction, size_average, reduce)
    warn_broadcast("l1_loss", input, target)
    losses = (input - target).abs()
    return brought_together(losses, reduction) if weight is None else _weighted(losses, input, weight, reduction)


class SmoothL1Loss(DistanceLoss):
    formula = "y = {reduction} of d²/(2β) where |d| < β, else |d| − β/2, d = x − target"
    gradient = ("d_x = grad · d/β, limited to [−1, 1]{share}", "d_target = −d_x")

    @staticmethod
    def value(d: Array, beta: float) -> Array:
        z = np.abs(d)
        return select(z < beta, 0.5 * z * z / beta, z - 0.5 * beta)

    @staticmethod
    def slope(d: Array, beta: float) -> Array:
        return np.minimum(np.maximum(d / beta, -1), 1)

    @staticmethod
    def slope_graph(d: Tensor, beta: float) -> Tensor:
        return (d / beta).where(d.abs() < beta, d.sign())


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Absolute error with a round bottom.

    Formula:
        with d = input - target: d^2 / (2 beta) for |d| < beta, else |d| - beta / 2

    Args:
        input, target: of the same shape (others broadcast, with a warning, as in torch).
        reduction: 'mean', 'sum' or 'none'.
        beta: where the bottom ends; 0 gives `l1_loss`.

    Raises:
        ValueError: an unknown reduction.
        RuntimeError: beta is negative.

    Source: torch.nn.functional.smooth_l1_loss; Girshick 2015, "Fast R-CNN", equation 3.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.smooth_l1_loss(lenet.tensor([1.0, 2.0]), lenet.tensor([0.5, 4.0]), reduction="none")
        tensor([0.1250, 1.5000])
    """
    check_reduction(reduction, size_average, reduce)
    beta = number(beta)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    warn_broadcast("smooth_l1_loss", input, target)
    if beta == 0:
        return brought_together((input - target).abs(), reduction)
    _refuse_integers("smooth_l1_loss", input, target)
    return SmoothL1Loss.apply(input, target, reduction=reduction, constants=(beta,))


class HuberLoss(DistanceLoss):
    formula = "y = {reduction} of d²/2 where |d| ≤ {constants[0]:g}, else a straight line, d = x − target"
    gradient = ("d_x = grad · d, limited{share}", "d_target = −d_x")

    @staticmethod
    def value(d: Array, delta: float) -> Array:
        z = np.abs(d)
        return select(z <= delta, 0.5 * z * z, delta * (z - 0.5 * delta))

    @staticmethod
    def slope(d: Array, delta: float) -> Array:
        return np.minimum(np.maximum(d, -delta), delta)

    @staticmethod
    def slope_graph(d: Tensor, delta: float) -> Tensor:
        return d.where(d.abs() < delta, d.sign() * delta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Squared error near the target, absolute error far from it.

    Formula:
        with d = input - target: d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2); times weight, if given

    Args:
        input, target: of the same shape (others broadcast, with a warning, as in torch).
        reduction: 'mean', 'sum' or 'none'.
        delta: where the one becomes the other.
        weight: of each element, in the shape of input; the mean is over the elements all the same.

    Raises:
        ValueError: an unknown reduction, or weights of another shape.
        RuntimeError: delta is not positive.

    Source: torch.nn.functional.huber_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.huber_loss(lenet.tensor([1.0, 2.0]), lenet.tensor([0.5, 4.0]), reduction="none", delta=0.5)
        tensor([0.1250, 0.8750])
    """
    check_reduction(reduction)
    delta = number(delta)
    if not delta > 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}")
    warn_broadcast("huber_loss", input, target)
    _refuse_integers("huber_loss", input, target)
    if weight is None:
        return HuberLoss.apply(input, target, reduction=reduction, constants=(delta,))
    _check_same_size(input, weight)
    return brought_together(HuberLoss.apply(input, target, reduction="none", constants=(delta,)) * weight, reduction)
