"""Inverses and determinants of square matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import result_tensor, saved_tensors
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import quiet, wanted_tensors
from lenetcli.ops.return_types import sign_and_logarithm

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def square(name: str, A: Any, integers: bool = False) -> None:
    """Refuses what are no square matrices.

    Raises:
        ShapeError: fewer than two dimensions, or sizes that differ.
        RuntimeError: integers, where they are not allowed.
    """
    wanted_tensors(name, A)
    shape = A.array.shape
    if len(shape) < 2:
        raise ShapeError(f"{name}: The input tensor A must have at least 2 dimensions, it has {len(shape)}")
    if shape[-1] != shape[-2]:
        raise ShapeError(
            f"{name}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )
    if A.array.dtype.kind != "f" and not integers:
        raise RuntimeError(f"{name}: expected a floating-point tensor, got {A.dtype}; call float() first")


class LinalgInvEx(Op):
    formula = "y = x⁻¹"
    gradient = ("d_x = −yᵀ grad yᵀ",)

    def forward(ctx: Any, x: Array) -> Array:
        y: Array = np.linalg.inv(x)
        ctx.save(y)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        turned = y.swapaxes(-1, -2)
        return -np.matmul(np.matmul(turned, grad), turned)

    saves = ("result",)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        (y,) = saved_tensors(ctx)
        return -(y.mT @ grad @ y.mT)


def inv(A: Tensor) -> Tensor:
    """Inverses of square matrices; `lenetcli.linalg.inv`.

    Raises:
        ShapeError: no square matrices.
        RuntimeError: a matrix that is singular, or integers.

    Source: torch.linalg.inv.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.inv(lenet.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    square("linalg.inv", A)
    try:
        return LinalgInvEx.apply(A)
    except np.linalg.LinAlgError:
        at = ""
        if A.array.ndim > 2:
            flat = A.array.reshape(-1, *A.array.shape[-2:])
            at = f"(Batch element {next(i for i, m in enumerate(flat) if not np.linalg.slogdet(m)[0])}): "
        raise RuntimeError(
            f"linalg.inv: {at}The inversion could not be completed because the input matrix is singular."
        ) from None


@method
def inverse(input: Tensor) -> Tensor:
    """Inverses of square matrices; see `linalg.inv`. Source: torch.inverse.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.tensor([[2.0]]).inverse()
        tensor([[0.5000]])
    """
    return inv(input)


class LinalgDet(Op):
    formula = "y = det x"
    gradient = ("d_x = grad · the cofactors of x: grad y x⁻ᵀ where there is an inverse",)

    def forward(ctx: Any, x: Array) -> Array:
        ctx.save(x)
        return np.asarray(np.linalg.det(x), like=x)

    @quiet
    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        u, s, vh = np.linalg.svd(x)  # cofactors = det(U) det(V) U diag(products of the other singular values) Vᵀ
        ones = np.ones_like(s[..., :1])
        before = np.cumprod(np.concatenate([ones, s[..., :-1]], -1), -1)
        after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], -1), -1)[..., ::-1]
        sign = np.asarray(np.linalg.det(u) * np.linalg.det(vh), like=x).round()
        others = before * after * sign[..., None] if x.shape[-1] else s
        return grad[..., None, None] * np.matmul(u * others[..., None, :], vh)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        (x,) = saved_tensors(ctx)
        y = result_tensor(ctx, np.asarray(np.linalg.det(x.array), like=x.array))
        return (grad * y).unsqueeze(-1).unsqueeze(-1) * inv(x).mT


@method
def det(A: Tensor) -> Tensor:
    """Determinants of square matrices.

    Shape:
        (*, N, N) -> (*)

    Gradient:
        The cofactors, for singular matrices, too; a second derivative needs an inverse.

    Raises:
        ShapeError: no square matrices.
        RuntimeError: integers.

    Source: torch.linalg.det.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.det(lenet.tensor([[2.0, 1.0], [0.0, 4.0]]))
        tensor(8.)
    """
    square("linalg.det", A)
    return LinalgDet.apply(A)


class LinalgSlogdet(Op):
    formula = "sign, y = the sign of det x and log |det x|"
    gradient = ("d_x = grad of y · x⁻ᵀ",)

    def forward(ctx: Any, x: Array) -> Any:
        ctx.save(x)
        sign, size = np.linalg.slogdet(x)
        return np.asarray(sign, like=x), np.asarray(size, like=x)

    def backward(ctx: Any, _: Array | None, grad: Array | None) -> Array | None:
        (x,) = ctx.saved
        if grad is None:
            return None
        return grad[..., None, None] * np.linalg.inv(x).swapaxes(-1, -2)

    def backward_graph(ctx: Any, _: Any, grad: Any) -> Any:
        (x,) = saved_tensors(ctx)
        return None if grad is None else grad.unsqueeze(-1).unsqueeze(-1) * inv(x).mT


_Slogdet = sign_and_logarithm("slogdet")


@method
def slogdet(A: Tensor) -> Any:
    """Sign and logarithm of the size of determinants, which cannot overflow.

    Shape:
        (*, N, N) -> (*) twice

    Raises:
        ShapeError: no square matrices.
        RuntimeError: integers.

    Source: torch.linalg.slogdet.

    Example:
        >>> import lenetcli as lenet
        >>> sign, size = lenet.slogdet(lenet.tensor([[-2.0]]))
        >>> sign, size.exp()
        (tensor(-1.), tensor(2.))
    """
    square("linalg.slogdet", A)
    return _Slogdet(*LinalgSlogdet.apply(A))


@method
def logdet(input: Tensor) -> Tensor:
    """The logarithm of determinants; NaN of negative ones, -inf of 0. Source: torch.logdet.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.logdet(lenet.tensor([[1.0, 0.0], [0.0, 1.0]]))
        tensor(0.)
    """
    sign, size = slogdet(input)
    return size.masked_fill(sign == -1, float("nan"))
