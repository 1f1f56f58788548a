"""Spread of values over dimensions: var, std, and both with the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import result_tensor, standing_for
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array
from lenetcli.kernels.sums import mean_over, sum_over
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axes, quiet
from lenetcli.ops.reduction.sum import Dims, count_over, kept

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Var(Op):
    """Variance over axes; `root` for its square root, `with_mean` for the mean as second result."""

    gradient = ("d_x = grad · 2 (x − mean) / (count − {correction:g})",)

    root = False
    with_mean = False

    @quiet
    def forward(ctx: Any, x: Array, *, over: tuple[int, ...], correction: float, keepdim: bool) -> Any:
        if x.dtype.kind != "f":
            raise RuntimeError(
                f"{ctx.name()[:-8].lower()}: wanted a floating-point tensor, got {x.dtype}; call float() first"
            )
        count = count_over(x.shape, over)
        centred = x.astype(np.float64)
        mean = mean_over(centred, over, keepdims=True)
        centred -= mean
        y = sum_over(centred * centred, over, keepdims=True) / max(count - correction, 0)
        if ctx.root:
            y = np.sqrt(y)
        centred, y, mean = (as_array(a).astype(x.dtype, copy=False) for a in (centred, y, mean))
        ctx.over, ctx.keepdim, ctx.count, ctx.degrees = over, keepdim, count, count - correction
        ctx.save(centred, y if ctx.root else None)
        results = [r if keepdim or not x.ndim else r.squeeze(over) for r in ((y, mean) if ctx.with_mean else (y,))]
        return tuple(results) if ctx.with_mean else results[0]

    def backward(ctx: Any, grad: Array | None, d_mean: Array | None = None) -> Any:
        centred, y = ctx.saved
        d_x: Any = 0
        if grad is not None:
            grad = kept(grad, centred.shape, ctx.over, ctx.keepdim)
            if ctx.root:
                grad = np.where(y == 0, y.dtype.type(0), grad / (2 * y))
            d_x = grad * (np.divide(2.0, ctx.degrees).astype(grad.dtype) * centred)
        if d_mean is not None:
            d_x = d_x + kept(d_mean, centred.shape, ctx.over, ctx.keepdim) / centred.dtype.type(ctx.count)
        return np.broadcast_to(d_x, centred.shape)

    def backward_graph(ctx: Any, grad: Any, d_mean: Any = None) -> Any:
        ctx.check_saved()
        centred, y = ctx.saved
        shape = centred.shape
        x = standing_for(ctx, 0, centred)  # the variance is the same wherever the mean is
        d_x: Any = None
        if grad is not None:
            grad = kept(grad, shape, ctx.over, ctx.keepdim)
            if ctx.root:
                root = kept(result_tensor(ctx, y.reshape(ctx.outputs[0][0])), shape, ctx.over, ctx.keepdim)
                grad = (grad / (2 * root)).masked_fill(root == 0, 0.0)
            d_x = grad * ((x - x.mean(ctx.over, keepdim=True)) * float(np.divide(2.0, ctx.degrees)))
        if d_mean is not None:
            each = (kept(d_mean, shape, ctx.over, ctx.keepdim) / ctx.count).expand(*shape)
            d_x = each if d_x is None else d_x + each
        return d_x


class Std(Var):
    formula = "y = √(Σ (x − mean)² / (count − {correction:g}))"
    gradient = ("d_x = grad · (x − mean) / (y (count − {correction:g}))",)
    root = True


class VarMean(Var):
    formula = "y = (Σ (x − mean)² / (count − {correction:g}), mean)"
    gradient = ("d_x = grad_var · 2 (x − mean) / (count − {correction:g}) + grad_mean / count",)
    with_mean = True


class StdMean(Var):
    formula = "y = (√(Σ (x − mean)² / (count − {correction:g})), mean)"
    gradient = ("d_x = grad_std · (x − mean) / (std (count − {correction:g})) + grad_mean / count",)
    root = True
    with_mean = True


def _spread(
    op: type[Var], input: Tensor, dim: Any, unbiased: bool | None, correction: float | None, keepdim: bool
) -> Any:
    """Sorts torch's two signatures out: (input, unbiased) and (input, dim, unbiased or correction, keepdim)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        if correction is not None:
            raise TypeError("give unbiased or correction, not both: unbiased=True is correction=1")
        correction = int(unbiased)
    correction = 1 if correction is None else correction
    return op.apply(input, over=axes(dim, input.array.ndim), correction=correction, keepdim=keepdim)


@method
def var(
    input: Tensor,
    dim: Dims | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Variance over `dim`, or over everything.

    Formula:
        sum((x - mean)^2) / max(0, count - correction)

    Args:
        unbiased: True is correction=1, False is correction=0; `var(x, False)` works too.
        correction: 1 unless given (Bessel's correction).

    Source: torch.var.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([1.0, 2.0, 3.0]).var(), lenet.tensor([1.0, 2.0, 3.0]).var(correction=0)
        (tensor(1.), tensor(0.6667))
    """
    return _spread(Var, input, dim, unbiased, correction, keepdim)


@method
def std(
    input: Tensor,
    dim: Dims | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Standard deviation: the square root of `var`, with the same arguments.

    Gradient:
        0 where the deviation is 0.

    Source: torch.std.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([1.0, 3.0]).std(correction=0)
        tensor(1.)
    """
    return _spread(Std, input, dim, unbiased, correction, keepdim)


def var_mean(
    input: Tensor,
    dim: Dims | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """`var` and `mean` in one go. Source: torch.var_mean.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.var_mean(lenet.tensor([1.0, 2.0, 3.0]))
        (tensor(1.), tensor(2.))
    """
    return _spread(VarMean, input, dim, unbiased, correction, keepdim)


def std_mean(
    input: Tensor,
    dim: Dims | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """`std` and `mean` in one go. Source: torch.std_mean.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.std_mean(lenet.tensor([1.0, 3.0]), correction=0)
        (tensor(1.), tensor(2.))
    """
    return _spread(StdMean, input, dim, unbiased, correction, keepdim)
