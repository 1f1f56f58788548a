"""Softmax, softmin and log-softmax: numbers along a dimension as probabilities."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import to_numpy_dtype
from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import saved_tensors
from lenetcli.autograd.tape import like
from lenetcli.kernels import dispatch
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, quiet
from lenetcli.ops.pointwise.clone import cast
from lenetcli.ops.pointwise.fill_ import exponential_

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Softmax(Op):
    formula = "y = e^x / Σ e^x along dimension {dim}"
    gradient = ("d_x = y · (grad − Σ grad · y)",)
    kernel: ClassVar[str] = "softmax"  # of kernels/softmax.py

    @quiet
    def forward(ctx: Any, x: Array, *, dim: int) -> Array:
        y = getattr(dispatch, ctx.kernel)(np.atleast_1d(x), dim)
        ctx.dim, ctx.shape = dim, x.shape
        result = y.reshape(x.shape)
        ctx.save(result)
        return result

    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        slope = getattr(dispatch, f"{ctx.kernel}_backward")
        return slope(np.atleast_1d(grad), np.atleast_1d(y), ctx.dim).reshape(ctx.shape)

    saves = ("result",)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        (y,) = saved_tensors(ctx)
        return y * (grad - (grad * y).sum(ctx.dim, keepdim=True))


class LogSoftmax(Softmax):
    formula = "y = x − log Σ e^x along dimension {dim}"
    gradient = ("d_x = grad − e^y · Σ grad",)

    kernel = "log_softmax"

    def backward_graph(ctx: Any, grad: Any) -> Any:
        (y,) = saved_tensors(ctx)
        return grad - y.exp() * grad.sum(ctx.dim, keepdim=True)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        x, n = seen["x"].astype(np.float64), seen.number
        row = seen.row(x, at)
        total = float(np.log(np.exp(row - row.max()).sum()) + row.max())
        powers = seen.terms((f"e^{n(v)}" for v in row), row.size)
        numbers = f"{n(x[at])} − log({powers}) = {n(x[at])} − {n(total)}"
        return f"{seen.element('y', at)} = x − log Σ e^x", numbers, float(x[at]) - total

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        y, grad, n = seen.y.astype(np.float64), seen.grad.astype(np.float64), seen.number
        total, share = float(seen.row(grad, at).sum()), math.exp(float(y[at]))
        numbers = f"{n(grad[at])} − {n(share)}·{n(total)}"
        return f"{seen.element('d_x', at)} = grad − e^y·Σ grad", numbers, float(grad[at]) - share * total


def _run(op: type[Softmax], name: str, input: Tensor, dim: int | None, dtype: Dtype | None) -> Tensor:
    ndim = input.array.ndim
    if dim is None:
        dim = 0 if ndim in (0, 1, 3) else 1
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. "
            f"Change the call to include dim=X as an argument; {dim} was taken.",
            UserWarning,
            stacklevel=3,
        )
    along = axis(dim, ndim)
    if dtype is not None:
        input = cast(input, to_numpy_dtype(dtype))
    if input.array.dtype.kind != "f":
        raise NotImplementedError(
            f"{name}: not implemented for {input.array.dtype}; give dtype=, or call float() first"
        )
    return op.apply(input, dim=along)


@method
def softmax(input: Tensor, dim: int | None = None, dtype: Dtype | None = None) -> Tensor:
    """Positive numbers that sum to 1 along a dimension.

    Formula:
        exp(x_i) / sum_j exp(x_j)

    Args:
        dim: the dimension whose entries sum to 1; to leave it out is deprecated, as in torch.
        dtype: convert to this type first.

    Raises:
        IndexError: `dim` is out of range.
        NotImplementedError: integers, without a floating-point `dtype`.

    Source: torch.nn.functional.softmax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.softmax(lenet.tensor([0.0, 0.0, 1.0]), dim=0)
        tensor([0.2119, 0.2119, 0.5761])
    """
    return _run(Softmax, "softmax", input, dim, dtype)


@method
def log_softmax(input: Tensor, dim: int | None = None, dtype: Dtype | None = None) -> Tensor:
    """The logarithm of `softmax`, finite where that rounds to 0.

    Formula:
        x_i - log sum_j exp(x_j)

    Args:
        dim, dtype: as in `softmax`.

    Raises:
        IndexError: `dim` is out of range.
        NotImplementedError: integers, without a floating-point `dtype`.

    Source: torch.nn.functional.log_softmax.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.log_softmax(lenet.tensor([0.0, 0.0, 1.0]), dim=0)
        tensor([-1.5514, -1.5514, -0.5514])
    """
    return _run(LogSoftmax, "log_softmax", input, dim, dtype)


def softmin(input: Tensor, dim: int | None = None, dtype: Dtype | None = None) -> Tensor:
    """Softmax of the negated numbers: the smallest gets most.

    Formula:
        exp(-x_i) / sum_j exp(-x_j)

    Args:
        dim, dtype: as in `softmax`.

    Raises:
        IndexError: `dim` is out of range.
        NotImplementedError: integers, without a floating-point `dtype`.

    Source: torch.nn.functional.softmin.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.softmin(lenet.tensor([0.0, 0.0, 1.0]), dim=0)
        tensor([0.4223, 0.4223, 0.1554])
    """
    return _run(Softmax, "softmin", -input, dim, dtype)


@whole
def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Draws categories so that gradients pass: a softmax of logits with random numbers added.

    Formula:
        softmax((logits + g) / tau), with g = -log of exponential random numbers

    Args:
        logits: logarithms of probabilities, up to a constant.
        tau: temperature: the lower, the nearer to a category.
        hard: give the category drawn as a one-hot vector; the gradient stays that of the softmax.
        eps: has no effect, as in torch.
        dim: the dimension of the categories.

    Raises:
        IndexError: `dim` is out of range.
        NotImplementedError: integers.

    Source: torch.nn.functional.gumbel_softmax; Jang et al. 2017, "Categorical Reparameterization with Gumbel-Softmax".

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.gumbel_softmax(lenet.tensor([0.0, 100.0]), hard=True)
        tensor([0., 1.])
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", UserWarning, stacklevel=2)
    room: Any = like(logits, np.empty_like(logits.array, order="C"))
    soft = softmax((logits - exponential_(room).log()) / tau, dim)
    if not hard:
        return soft
    zeros: Any = like(logits, np.zeros_like(logits.array, order="C"))
    drawn: Tensor = zeros.scatter(dim, soft.detach().max(dim, keepdim=True)[1], 1.0)
    return drawn - soft.detach() + soft
