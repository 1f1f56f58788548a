"""Linear and bilinear maps of the last dimension, as in the layers of these names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import restated
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array
from lenetcli.kernels.linear import matmul
from lenetcli.ops import fusion
from lenetcli.ops.linalg.mm import Addmm, Mm, check_types
from lenetcli.ops.shaping.permute import T, t

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Unbiased(Mm):
    """A linear layer without bias: x (N, I), weightᵀ (I, O) -> (N, O), batch-last as one with bias."""

    backward_name = "Mm"
    linear = True  # as Addmm may be
    multiply = staticmethod(lambda a, b: kernels.linear(a, b.T, None))


@whole
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A weighted sum of the last dimension for each output.

    Formula:
        y = x weight.T + bias

    Shape:
        input (*, I), weight (O, I) or (I,), bias (O,) or () -> (*, O) or (*)

    Raises:
        ShapeError: the last size of the input is not I.

    Source: torch.nn.functional.linear.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.linear(lenet.ones(1, 3), lenet.ones(2, 3), lenet.tensor([0.0, 1.0]))
        tensor([[3., 4.]])
    """
    x, w = input.array, weight.array
    if not x.ndim or not w.ndim or x.shape[-1] != w.shape[-1]:
        raise ShapeError(
            f"linear: mat1 and mat2 shapes cannot be multiplied: input {list(x.shape)} ends in "
            f"{x.shape[-1] if x.ndim else 'nothing'}, weight {list(w.shape)} takes "
            f"{w.shape[-1] if w.ndim else 'nothing'} features"
        )
    if x.ndim == 2 and w.ndim == 2:
        if bias is None:
            check_types("mm", x, w)
            return fusion.begin(Unbiased, (x.shape[0], w.shape[0]), input, T.apply(weight))
        check_types("addmm", bias.array, x, w)
        return fusion.begin(Addmm, (x.shape[0], w.shape[0]), bias, input, T.apply(weight), beta=1, alpha=1)
    if w.ndim == 1:
        y = input.matmul(weight)
        return y if bias is None else y + bias
    if bias is None:
        return input.matmul(t(weight))
    rows = input.reshape(-1, x.shape[-1])
    return linear(rows, weight, bias).reshape(*x.shape[:-1], w.shape[0])


class Trilinear(Op):
    """Rows x1 (N, I) and x2 (N, J), weight (O, I, J) -> (N, O)."""

    formula = "y[n,o] = Σ_ij x1[n,i] · weight[o,i,j] · x2[n,j]"
    gradient = (
        "d_x1[n,i] = Σ_oj grad[n,o] · weight[o,i,j] · x2[n,j]",
        "d_weight[o,i,j] = Σ_n grad[n,o] · x1[n,i] · x2[n,j]",
        "d_x2[n,j] = Σ_oi grad[n,o] · x1[n,i] · weight[o,i,j]",
    )

    factors = (0, 1, 2)
    backward_graph = restated

    @staticmethod
    def multiply_adds(y: Array, x1: Array, weight: Array, x2: Array) -> int:
        return y.size * (x1.shape[1] + 1) * x2.shape[1]

    def forward(ctx: Any, x1: Array, weight: Array, x2: Array) -> Array:
        need_x1, need_weight, need_x2 = ctx.needs_input_grad
        ctx.save(
            x1 if need_weight or need_x2 else None,
            weight if need_x1 or need_x2 else None,
            x2 if need_x1 or need_weight else None,
        )
        half = np.tensordot(x1, weight, (1, 1))  # (N, O, J)
        return matmul(half, x2[:, :, None])[:, :, 0]

    def backward(ctx: Any, grad: Array) -> Any:
        x1, weight, x2 = ctx.saved
        need_x1, need_weight, need_x2 = ctx.needs_input_grad
        d_x1 = d_weight = d_x2 = None
        if need_x1:
            d_x1 = matmul(grad[:, None, :], np.tensordot(x2, weight, (1, 2)))[:, 0]  # (N, 1, O) @ (N, O, I)
        if need_weight:
            through = grad[:, :, None] * x1[:, None, :]  # (N, O, I)
            d_weight = np.tensordot(through, x2, (0, 0))
        if need_x2:
            d_x2 = matmul(grad[:, None, :], np.tensordot(x1, weight, (1, 1)))[:, 0]
        return d_x1, d_weight, d_x2

    def restate(ctx: Any, x1: Any, weight: Any, x2: Any) -> Any:
        o, i, j = weight.array.shape
        half = x1.mm(weight.permute(1, 0, 2).reshape(i, o * j)).reshape(-1, o, j)
        return (half * x2.unsqueeze(1)).sum(-1)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A weighted sum of all products of two inputs for each output.

    Formula:
        y[o] = x1.T weight[o] x2 + bias[o]

    Shape:
        input1 (*, I), input2 (*, J), weight (O, I, J), bias (O,) -> (*, O)

    Raises:
        ShapeError: sizes do not fit.

    Source: torch.nn.functional.bilinear.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.bilinear(lenet.tensor([[1.0, 2.0]]), lenet.tensor([[3.0]]), lenet.ones(1, 2, 1))
        tensor([[9.]])
    """
    a, b, w = input1.array, input2.array, weight.array
    fits = a.ndim and b.ndim and w.ndim == 3 and a.shape[:-1] == b.shape[:-1]
    if not fits or w.shape[1:] != (a.shape[-1], b.shape[-1]):
        raise ShapeError(
            f"bilinear: wanted inputs (*, I) and (*, J) and weight (O, I, J), got {list(a.shape)}, {list(b.shape)} and "
            f"{list(w.shape)}"
        )
    if bias is not None and bias.array.shape != w.shape[:1]:
        raise ShapeError(f"bilinear: expected bias of shape {[w.shape[0]]}, got {list(bias.array.shape)}")
    if not a.dtype == b.dtype == w.dtype:
        raise RuntimeError(
            f"bilinear: all inputs must have the same dtype, got {input1.dtype}, {input2.dtype} and {weight.dtype}"
        )
    rows = a.shape[:-1]
    y = Trilinear.apply(input1.reshape(-1, a.shape[-1]), weight, input2.reshape(-1, b.shape[-1]))
    y = y.reshape(*rows, w.shape[0])
    return y if bias is None else y + bias
