"""Products of batches of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.kernels.linear import matmul
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.linalg.mm import AddedProduct, Product, check_types, factors
from lenetcli.ops.methods import method
from lenetcli.ops.operands import wanted_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def check_batches(name: str, a: Array, b: Array) -> None:
    """Refuses two batches of matrices that do not fit together."""
    if a.ndim != 3 or b.ndim != 3 or a.shape[0] != b.shape[0] or a.shape[2] != b.shape[1]:
        raise ShapeError(
            f"{name}: wanted batches of shape (B, N, K) and (B, K, M), got {list(a.shape)} and {list(b.shape)}"
        )


def gradients_of_batches(grad: Array, a: Array, b: Array, needs: Any) -> Any:
    """(B, N, M), or (N, M) for all of a batch -> (B, N, K) and (B, K, M)"""
    need_a, need_b = needs
    return (
        matmul(grad, b.swapaxes(1, 2)) if need_a else None,
        matmul(a.swapaxes(1, 2), grad) if need_b else None,
    )


class Bmm(Product):
    formula = "y[b] = a[b] b[b], a matrix product for each b"
    multiply = staticmethod(matmul)
    gradients = staticmethod(gradients_of_batches)


@method
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of matrices, one for each of a batch, without broadcasting.

    Shape:
        (B, N, K) and (B, K, M) -> (B, N, M)

    Raises:
        ShapeError: the sizes do not fit.
        RuntimeError: the types differ.

    Source: torch.bmm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bmm(lenet.ones(2, 1, 3), lenet.ones(2, 3, 1))
        tensor([[[3.]],
        <BLANKLINE>
                [[3.]]])
    """
    wanted_tensors("bmm", input, mat2)
    check_batches("bmm", input.array, mat2.array)
    check_types("bmm", input.array, mat2.array)
    return Bmm.apply(input, mat2)


class Baddbmm(AddedProduct):
    formula = "y[b] = {beta:g} c[b] + {alpha:g} a[b] b[b], a matrix product for each b"
    multiply = staticmethod(matmul)
    gradients = staticmethod(gradients_of_batches)


@method(in_place=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`bmm` with something added.

    Formula:
        beta * input + alpha * (batch1 @ batch2); with beta = 0, NaN in the input has no effect

    Shape:
        input broadcasts to (B, N, M); batch1 (B, N, K), batch2 (B, K, M) -> (B, N, M)

    Raises:
        ShapeError: the sizes do not fit, or the input does not broadcast.
        RuntimeError: the types differ.

    Source: torch.baddbmm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.baddbmm(lenet.tensor([1.0]), lenet.ones(1, 1, 3), lenet.ones(1, 3, 1))
        tensor([[[4.]]])
    """
    wanted_tensors("baddbmm", input, batch1, batch2)
    check_batches("baddbmm", batch1.array, batch2.array)
    check_types("baddbmm", input.array, batch1.array, batch2.array)
    beta, alpha = factors("baddbmm", batch1.array.dtype, beta, alpha)
    return Baddbmm.apply(input, batch1, batch2, beta=beta, alpha=alpha)


class Addbmm(AddedProduct):
    formula = "y = {beta:g} c + {alpha:g} Σ_n a[n] b[n], matrix products"
    gradient = ("d_c = {beta:g} grad", "d_a[n] = {alpha:g} grad b[n]ᵀ", "d_b[n] = {alpha:g} a[n]ᵀ grad")
    multiply = staticmethod(lambda a, b: sum_over(matmul(a, b), 0))
    gradients = staticmethod(gradients_of_batches)

    @staticmethod
    def multiply_adds(y: Array, c: Array, a: Array, b: Array) -> int:
        return len(a) * y.size * a.shape[-1]


@method(in_place=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The products of a batch of matrices summed up, with something added.

    Formula:
        beta * input + alpha * (sum over b of batch1[b] @ batch2[b]); with beta = 0, NaN in the input has no effect

    Shape:
        input broadcasts to (N, M); batch1 (B, N, K), batch2 (B, K, M) -> (N, M)

    Raises:
        ShapeError: the sizes do not fit, or the input does not broadcast.
        RuntimeError: the types differ.

    Source: torch.addbmm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.addbmm(lenet.tensor([1.0]), lenet.ones(2, 1, 3), lenet.ones(2, 3, 1))
        tensor([[7.]])
    """
    wanted_tensors("addbmm", input, batch1, batch2)
    check_batches("addbmm", batch1.array, batch2.array)
    check_types("addbmm", input.array, batch1.array, batch2.array)
    beta, alpha = factors("addbmm", batch1.array.dtype, beta, alpha)
    return Addbmm.apply(input, batch1, batch2, beta=beta, alpha=alpha)
