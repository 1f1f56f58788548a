"""Products with vectors: dot, matrix by vector, outer, cross."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import result_type
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import bilinear, missing_factors, product_gradients, saved_tensors
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.kernels.linear import dense, matmul
from lenetcli.ops.linalg.mm import AddedProduct, Product, check_addend, check_types, factors
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, broadcast_shape, quiet, wanted_tensors
from lenetcli.ops.pointwise.add import mul
from lenetcli.ops.reduction.sum import sum
from lenetcli.ops.shaping.reshape import reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Dot(Product):
    formula = "y = Σ_i a[i] · b[i]"
    gradient = ("d_a = grad · b", "d_b = grad · a")
    multiply = staticmethod(lambda a, b: np.dot(dense(a), dense(b)))
    gradients = staticmethod(lambda grad, a, b, needs: (grad * b if needs[0] else None, grad * a if needs[1] else None))


class Vdot(Dot):
    pass


def _check_vectors(name: str, a: Array, b: Array) -> None:
    if a.ndim != 1 or b.ndim != 1 or a.shape != b.shape:
        raise ShapeError(
            f"{name}: 1D tensors of equal size expected, but got shapes {list(a.shape)} and {list(b.shape)}"
        )
    check_types(name, a, b)


@method
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The dot product of two vectors: the sum of their products.

    Raises:
        ShapeError: no vectors, or their sizes differ.
        RuntimeError: the types differ.

    Source: torch.dot.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.dot(lenet.tensor([1, 2]), lenet.tensor([3, 4]))
        tensor(11)
    """
    wanted_tensors("dot", input, tensor)
    _check_vectors("dot", input.array, tensor.array)
    return Dot.apply(input, tensor)


@method
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """`dot`, whose numbers are real here. Source: torch.vdot.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.vdot(lenet.tensor([1, 2]), lenet.tensor([3, 4]))
        tensor(11)
    """
    wanted_tensors("vdot", input, other)
    _check_vectors("vdot", input.array, other.array)
    return Vdot.apply(input, other)


def gradients_of_rows(grad: Array, a: Array, x: Array, needs: Any) -> Any:
    """(N,) -> (N, K) and (K,)"""
    need_a, need_x = needs
    return np.outer(grad, x) if need_a else None, matmul(a.T, grad) if need_x else None


class Mv(Product):
    formula = "y[n] = Σ_i a[n,i] · b[i]"
    gradient = ("d_a[n,i] = grad[n] · b[i]", "d_b = aᵀ grad")
    multiply = staticmethod(matmul)
    gradients = staticmethod(gradients_of_rows)


def _check_rows(name: str, a: Array, x: Array) -> None:
    if a.ndim != 2 or x.ndim != 1 or a.shape[1] != x.shape[0]:
        raise ShapeError(
            f"{name}: size mismatch, got mat {list(a.shape)} and vec {list(x.shape)}; wanted (N, K) and (K,)"
        )


@method
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Product of a matrix and a vector.

    Shape:
        (N, K) and (K,) -> (N,)

    Raises:
        ShapeError: the sizes do not fit.
        RuntimeError: the types differ.

    Source: torch.mv.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.mv(lenet.ones(2, 3), lenet.tensor([1.0, 2.0, 3.0]))
        tensor([6., 6.])
    """
    wanted_tensors("mv", input, vec)
    _check_rows("mv", input.array, vec.array)
    check_types("mv", input.array, vec.array)
    return Mv.apply(input, vec)


class Addmv(AddedProduct):
    formula = "y[n] = {beta:g} c[n] + {alpha:g} Σ_i a[n,i] · b[i]"
    gradient = ("d_c = {beta:g} grad", "d_a[n,i] = {alpha:g} grad[n] · b[i]", "d_b = {alpha:g} aᵀ grad")
    multiply = staticmethod(matmul)
    gradients = staticmethod(gradients_of_rows)


@method(in_place=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Product of a matrix and a vector, with something added.

    Formula:
        beta * input + alpha * (mat @ vec); with beta = 0, NaN in the input has no effect

    Shape:
        input broadcasts to (N,); mat (N, K), vec (K,) -> (N,)

    Raises:
        ShapeError: the sizes do not fit, or the input does not broadcast.
        RuntimeError: the types differ.

    Source: torch.addmv.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.addmv(lenet.tensor([1.0]), lenet.ones(2, 3), lenet.ones(3))
        tensor([4., 4.])
    """
    wanted_tensors("addmv", input, mat, vec)
    _check_rows("addmv", mat.array, vec.array)
    check_types("addmv", input.array, mat.array, vec.array)
    beta, alpha = factors("addmv", mat.array.dtype, beta, alpha)
    return Addmv.apply(input, mat, vec, beta=beta, alpha=alpha)


class Addr(Op):
    saves = ("a", "b")
    formula = "y[i,j] = {beta:g} c[i,j] + {alpha:g} a[i] · b[j]"
    gradient = ("d_c = {beta:g} grad", "d_a = {alpha:g} grad b", "d_b = {alpha:g} gradᵀ a")

    @quiet
    def forward(ctx: Any, c: Array, a: Array, b: Array, *, beta: float, alpha: float) -> Array:
        _, need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_b else None, b if need_a else None)
        ctx.beta, ctx.alpha = beta, alpha
        kind = result_type(c, a, b)
        c, a, b = (x.astype(kind, copy=False) for x in (c, a, b))
        y = a[:, None] * b
        check_addend(ctx, c, y)
        if alpha != 1:
            y *= alpha
        if beta == 1:
            y += c
        elif beta != 0:
            y += beta * c
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return (
            grad * ctx.beta,
            None if b is None else matmul(grad, b) * ctx.alpha,
            None if a is None else matmul(grad.T, a) * ctx.alpha,
        )

    def backward_graph(ctx: Any, grad: Any) -> Any:
        factors = missing_factors(ctx, (1, 2), *saved_tensors(ctx))
        return (grad * ctx.beta, *product_gradients(ctx, grad * ctx.alpha, *factors))

    @staticmethod
    def multiply(a: Array, b: Array) -> Array:
        return a[:, None] * b

    @staticmethod
    def gradients(grad: Array, a: Array, b: Array, needs: Any) -> Any:
        return matmul(grad, b) if needs[0] else None, matmul(grad.T, a) if needs[1] else None


@method(in_place=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The outer product of two vectors, with something added.

    Formula:
        beta * input + alpha * outer(vec1, vec2); with beta = 0, NaN in the input has no effect

    Shape:
        input broadcasts to (N, M); vec1 (N,), vec2 (M,) -> (N, M)

    Raises:
        ShapeError: no vectors, or the input does not broadcast.

    Source: torch.addr.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.addr(lenet.zeros(2, 2), lenet.tensor([1.0, 2.0]), lenet.tensor([3.0, 4.0]))
        tensor([[3., 4.],
                [6., 8.]])
    """
    wanted_tensors("addr", input, vec1, vec2)
    _check_outer("addr", vec1.array, vec2.array)
    beta, alpha = factors("addr", result_type(input.array, vec1.array, vec2.array), beta, alpha)
    return Addr.apply(input, vec1, vec2, beta=beta, alpha=alpha)


def _check_outer(name: str, a: Array, b: Array) -> None:
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"{name}: Expected 1-D arguments, but got shapes {list(a.shape)} and {list(b.shape)}")


@method
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of an element of one vector with an element of another.

    Shape:
        (N,) and (M,) -> (N, M)

    Raises:
        ShapeError: no vectors.

    Source: torch.outer.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.outer(lenet.tensor([1, 2]), lenet.tensor([3, 4]))
        tensor([[3, 4],
                [6, 8]])
    """
    wanted_tensors("outer", input, vec2)
    _check_outer("outer", input.array, vec2.array)
    return mul(reshape(input, input.array.size, 1), vec2)


@method
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """`outer` under another name. Source: torch.ger.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ger(lenet.tensor([1, 2]), lenet.tensor([3, 4])).shape
        torch.Size([2, 2])
    """
    return outer(input, vec2)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Dot products along a dimension, with broadcasting.

    Shape:
        (*, K) and (*, K) -> (*)

    Raises:
        RuntimeError: integers.

    Source: torch.linalg.vecdot.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.vecdot(lenet.ones(2, 3), lenet.ones(3))
        tensor([3., 3.])
    """
    wanted_tensors("vecdot", x, y)
    if x.array.dtype.kind != "f" or y.array.dtype.kind != "f":
        raise RuntimeError(f"linalg.vecdot: expected floating-point tensors, got {x.dtype} and {y.dtype}")
    return sum(mul(x, y), dim)


class LinalgCross(Op):
    formula = "y = a × b, the cross product along dimension {dim}"
    gradient = ("d_a = b × grad", "d_b = grad × a")
    backward_graph = bilinear

    @quiet
    def forward(ctx: Any, a: Array, b: Array, *, dim: int) -> Array:
        need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_b else None, b if need_a else None)
        ctx.dim = dim
        return crossed(a, b, dim)

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return (
            None if b is None else crossed(b, grad, ctx.dim),
            None if a is None else crossed(grad, a, ctx.dim),
        )

    def multiply(ctx: Any, a: Array, b: Array) -> Array:
        return crossed(a, b, ctx.dim)

    def gradients(ctx: Any, grad: Array, a: Array, b: Array, needs: Any) -> Any:
        return crossed(b, grad, ctx.dim) if needs[0] else None, crossed(grad, a, ctx.dim) if needs[1] else None


def crossed(a: Array, b: Array, dim: int) -> Array:
    """Cross products along an axis counted from the end."""
    next_, last = [1, 2, 0], [2, 0, 1]
    a1, a2, b1, b2 = (np.take(x, order, axis=dim) for x in (a, b) for order in (next_, last))
    return a1 * b2 - a2 * b1


def _cross(name: str, input: Tensor, other: Tensor, dim: int) -> Tensor:
    a, b = input.array, other.array
    if a.ndim != b.ndim:
        raise ShapeError(
            f"{name}: inputs must have the same number of dimensions, got shapes {list(a.shape)} and {list(b.shape)}"
        )
    at = axis(dim, a.ndim)
    if not a.ndim or a.shape[at] != 3 or b.shape[at] != 3:
        raise ShapeError(
            f"{name}: inputs must have length 3 in dimension {dim}, got shapes {list(a.shape)} and {list(b.shape)}"
        )
    broadcast_shape(a.shape, b.shape)
    check_types(name, a, b)
    return LinalgCross.apply(input, other, dim=at - a.ndim)


def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Cross products of vectors in space, with broadcasting; `lenetcli.linalg.cross`.

    Args:
        dim: the dimension of size 3 that holds the vectors.

    Raises:
        ShapeError: sizes other than 3, or not the same number of dimensions.
        RuntimeError: the types differ.

    Source: torch.linalg.cross.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.linalg.cross(lenet.tensor([1.0, 0.0, 0.0]), lenet.tensor([0.0, 1.0, 0.0]))
        tensor([0., 0., 1.])
    """
    wanted_tensors("linalg.cross", input, other)
    return _cross("linalg.cross", input, other, dim)


@method
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Cross products of vectors in space, with broadcasting.

    Args:
        dim: the dimension of size 3 that holds the vectors; without it the first one of that size.

    Raises:
        ShapeError: sizes other than 3, or not the same number of dimensions.
        RuntimeError: the types differ.

    Source: torch.cross.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cross(lenet.tensor([1.0, 0.0, 0.0]), lenet.tensor([0.0, 1.0, 0.0]))
        tensor([0., 0., 1.])
    """
    wanted_tensors("cross", input, other)
    shape = input.array.shape
    if dim is None and 3 not in shape:
        raise ShapeError(f"cross: no dimension of size 3 in input of shape {list(shape)}")
    return _cross("cross", input, other, shape.index(3) if dim is None else dim)
