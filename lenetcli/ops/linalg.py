"""Matrix products. A batch-last operand (columns contiguous) gives a batch-last result, at BLAS speed either way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


def product(a: Array, b: Array) -> Array:
    """a (N, K) @ b (K, M) in the memory order of `a`, so that a batch-last batch stays batch-last."""
    if a.flags.f_contiguous and not a.flags.c_contiguous:
        return np.matmul(b.T, a.T).T
    return np.matmul(a, b)


def check_product(name: str, a: Array, b: Array) -> None:
    """Refuses two matrices that do not fit together."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ShapeError(
            f"{name}: mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, a.shape))} and "
            f"{'x'.join(map(str, b.shape))}); the columns of the first must match the rows of the second"
        )
    if a.dtype != b.dtype:
        raise RuntimeError(f"{name}: expected both matrices to have the same dtype, but got {a.dtype} and {b.dtype}")


class Mm(Op):
    @staticmethod
    def forward(ctx: Any, a: Array, b: Array) -> Array:
        check_product("mm", a, b)
        ctx.save(a, b)
        return product(a, b)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        return product(grad, b.T) if need_a else None, np.matmul(a.T, grad) if need_b else None


@method
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Product of two matrices, without broadcasting.

    Shape:
        (N, K) and (K, M) -> (N, M)

    Raises:
        ShapeError: the inner sizes differ or an operand is no matrix.

    Source: torch.mm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.mm(lenet.ones(2, 3), lenet.ones(3, 1))
        tensor([[3.],
                [3.]])
    """
    return Mm.apply(input, mat2)


class Addmm(Op):
    @staticmethod
    def forward(ctx: Any, bias: Array, a: Array, b: Array, *, beta: float, alpha: float) -> Array:
        check_product("addmm", a, b)
        ctx.save(a, b)
        ctx.beta, ctx.alpha = beta, alpha
        y = product(a, b)
        if alpha != 1:
            y *= alpha
        if beta == 1:
            y += bias
        elif beta != 0:
            y += beta * bias
        return y

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        need_bias, need_a, need_b = ctx.needs_input_grad
        d_bias = (grad if ctx.beta == 1 else grad * ctx.beta) if need_bias else None
        if ctx.alpha != 1:
            grad = grad * ctx.alpha
        return (
            d_bias,
            product(grad, b.T) if need_a else None,
            np.matmul(a.T, grad) if need_b else None,
        )


@method(in_place=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """A matrix product with something added: what a Linear layer computes.

    Formula:
        beta * input + alpha * (mat1 @ mat2)

    Shape:
        input broadcasts to (N, M); mat1 (N, K), mat2 (K, M) -> (N, M)

    Raises:
        ShapeError: the inner sizes differ.

    Source: torch.addmm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.addmm(lenet.tensor([1.0]), lenet.ones(1, 3), lenet.ones(3, 1))
        tensor([[4.]])
    """
    return Addmm.apply(input, mat1, mat2, beta=beta, alpha=alpha)
