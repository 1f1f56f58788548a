"""Matrix products. A batch-last operand (columns contiguous) gives a batch-last result, at BLAS speed either way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import bilinear, missing_factors, product_gradients, saved_tensors
from lenetcli.autograd.tape import Variable
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import Array, outline
from lenetcli.ops.methods import method
from lenetcli.ops.operands import quiet, wanted_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def product(a: Array, b: Array) -> Array:
    """a (N, K) @ b (K, M) in the memory order of `a`, so that a batch-last batch stays batch-last."""
    return kernels.product(a, b)


def check_types(name: str, *arrays: Array) -> None:
    """Refuses operands of different types, and bool, for which products are not defined.

    Raises:
        RuntimeError: the types differ.
        NotImplementedError: bool.
    """
    kind = arrays[0].dtype
    for x in arrays:
        if x.dtype != kind:
            kinds = ", ".join(str(x.dtype) for x in arrays)
            raise RuntimeError(f"{name}: expected all operands to have the same dtype, but got {kinds}")
    if kind == np.bool_:
        raise NotImplementedError(f"{name}: not implemented for bool; convert to a number type first")


def check_product(name: str, a: Array, b: Array) -> None:
    """Refuses two matrices that do not fit together."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ShapeError(
            f"{name}: mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, a.shape))} and "
            f"{'x'.join(map(str, b.shape))}); the columns of the first must match the rows of the second"
        )


def check_addend(op: Op, c: Array, y: Array) -> None:
    """Refuses an input that does not broadcast to the product it is added to."""
    if c.shape == y.shape[1:]:
        return
    extra = y.ndim - c.ndim
    if extra < 0 or any(size not in (1, wanted) for size, wanted in zip(c.shape, y.shape[extra:])):
        name = type(op).__name__.lower()
        raise ShapeError(f"{name}: input of shape {list(c.shape)} cannot be expanded to the product's {list(y.shape)}")


class Product(Op):
    """y = multiply(a, b), where `gradients(grad, a, b, needs)` gives what flows to a and b.

    An operand is None where the other one needs no gradient.
    """

    formula = "y = a b, a matrix product"
    gradient = ("d_a = grad bᵀ", "d_b = aᵀ grad")

    factors = (0, 1)

    multiply: ClassVar[Any]
    gradients: ClassVar[Any]
    backward_graph = bilinear

    @staticmethod
    def multiply_adds(y: Array, a: Array, b: Array) -> int:
        return y.size * a.shape[-1]

    @quiet
    def forward(ctx: Any, a: Array, b: Array) -> Array:
        ctx.keep(a, b)
        return as_array(ctx.multiply(a, b))

    def keep(self, a: Array, b: Array) -> None:
        """Saves what the gradients need."""
        need_a, need_b = self.needs_input_grad
        self.save(a if need_b else None, b if need_a else None)

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return ctx.gradients(grad, a, b, ctx.needs_input_grad)


class AddedProduct(Op):
    """y = beta * c + alpha * multiply(a, b)."""

    saves = ("a", "b")

    formula = "y = {beta:g} c + {alpha:g} a b, a matrix product"
    gradient = ("d_c = {beta:g} grad", "d_a = {alpha:g} grad bᵀ", "d_b = {alpha:g} aᵀ grad")

    factors = (1, 2)

    multiply: ClassVar[Any]
    gradients: ClassVar[Any]

    @staticmethod
    def multiply_adds(y: Array, c: Array, a: Array, b: Array) -> int:
        return y.size * a.shape[-1]

    def keep_factors(self, a: Array, b: Array) -> None:
        """Saves what the gradients need."""
        _, need_a, need_b = self.needs_input_grad
        self.save(a if need_b else None, b if need_a else None)

    @quiet
    def forward(ctx: Any, c: Array, a: Array, b: Array, *, beta: float, alpha: float) -> Array:
        ctx.keep_factors(a, b)
        ctx.beta, ctx.alpha = beta, alpha
        y = as_array(ctx.multiply(a, b))
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
        need_c, *needs = ctx.needs_input_grad
        d_c = (grad if ctx.beta == 1 else grad * ctx.beta) if need_c else None
        scaled = grad if ctx.alpha == 1 else grad * ctx.alpha
        return (d_c, *ctx.gradients(scaled, a, b, needs))

    def backward_graph(ctx: Any, grad: Any) -> Any:
        factors = missing_factors(ctx, (1, 2), *saved_tensors(ctx))
        d_c = (grad if ctx.beta == 1 else grad * ctx.beta) if ctx.needs_input_grad[0] else None
        return (d_c, *product_gradients(ctx, grad if ctx.alpha == 1 else grad * ctx.alpha, *factors))


def factors(name: str, kind: np.dtype[Any], *given: Any) -> list[Any]:
    """alpha and beta as Python numbers that fit the type.

    Raises:
        TypeError: no number, or a fraction for an integer type.
    """
    found = []
    for value in given:
        number = value.array.item() if isinstance(value, Variable) and value.array.size == 1 else value
        number = number.item() if isinstance(number, np.generic) else number
        if not isinstance(number, (int, float)):
            raise TypeError(f"{name}: alpha and beta must be numbers, got {type(number).__name__}: {number!r}")
        if kind.kind != "f":
            if number != int(number):
                raise TypeError(f"{name}: for tensors of {kind}, alpha and beta must be integers, got {number!r}")
            number = int(number)
        found.append(number)
    return found


def gradients_of_matrices(grad: Array, a: Array, b: Array, needs: Any) -> Any:
    """(N, M) -> (N, K) and (K, M)"""
    need_a, need_b = needs
    return product(grad, b.T) if need_a else None, kernels.rows_product(grad.T, a).T if need_b else None


class Mm(Product):
    formula = "y[n,o] = Σ_i a[n,i] · b[i,o]"
    multiply = staticmethod(product)
    gradients = staticmethod(gradients_of_matrices)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        row, column = at
        numbers, value = seen.products(seen["a"][row], seen["b"][:, column])
        return f"{seen.element('y', at)} = Σ_i a[{row},i]·b[i,{column}]", numbers, value

    @staticmethod
    def example_d_a(seen: Any, at: tuple[int, ...]) -> Any:
        row, i = at
        numbers, value = seen.products(seen.grad[row], seen["b"][i])
        return f"{seen.element('d_a', at)} = Σ_o grad[{row},o]·b[{i},o]", numbers, value

    @staticmethod
    def example_d_b(seen: Any, at: tuple[int, ...]) -> Any:
        i, column = at
        numbers, value = seen.products(seen["a"][:, i], seen.grad[:, column])
        return f"{seen.element('d_b', at)} = Σ_n a[n,{i}]·grad[n,{column}]", numbers, value


@method
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Product of two matrices, without broadcasting.

    Shape:
        (N, K) and (K, M) -> (N, M)

    Raises:
        ShapeError: the inner sizes differ or an operand is no matrix.
        RuntimeError: the types differ.

    Source: torch.mm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.mm(lenet.ones(2, 3), lenet.ones(3, 1))
        tensor([[3.],
                [3.]])
    """
    wanted_tensors("mm", input, mat2)
    check_product("mm", input.array, mat2.array)
    check_types("mm", input.array, mat2.array)
    return Mm.apply(input, mat2)


class Addmm(AddedProduct):
    formula = "y[n,o] = {beta:g} c[o] + {alpha:g} Σ_i a[n,i] · b[i,o]"
    gradient = ("d_c = {beta:g} Σ_n grad[n,·]", "d_a = {alpha:g} grad bᵀ", "d_b = {alpha:g} aᵀ grad")
    multiply = staticmethod(product)
    gradients = staticmethod(gradients_of_matrices)
    linear = False  # one kernel forward, one for all gradients

    @quiet
    def forward(ctx: Any, c: Array, a: Array, b: Array, *, beta: float, alpha: float) -> Array:
        if not (beta == alpha == 1 and c.shape == b.shape[1:]):
            return AddedProduct.forward(ctx, c, a, b, beta=beta, alpha=alpha)
        ctx.keep(c, a, b, beta, alpha)
        return kernels.linear(a, b.T, c)

    def keep(self, c: Array, a: Array, b: Array, beta: float, alpha: float) -> None:
        """Saves what the gradients of a linear layer need."""
        self.keep_factors(a, b)
        self.beta, self.alpha = beta, alpha
        self.linear, self.weight_shape = True, b.shape[::-1]

    def backward(ctx: Any, grad: Array) -> Any:
        need_c, need_a, need_b = ctx.needs_input_grad
        if not (ctx.linear and need_c and need_b):
            return AddedProduct.backward(ctx, grad)
        a, b = ctx.saved
        weight = b.T if need_a else outline(ctx.weight_shape, grad)
        d_a, d_weight, d_c = kernels.linear_backward(grad, a, weight, need_a)
        return d_c, d_a, d_weight.T

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        if seen.parameters["alpha"] != 1 or seen.parameters["beta"] != 1 or seen["c"].shape != seen.y.shape[1:]:
            return None
        row, column = at
        numbers, value = seen.products(seen["a"][row], seen["b"][:, column], float(seen["c"][column]))
        return f"{seen.element('y', at)} = c[{column}] + Σ_i a[{row},i]·b[i,{column}]", numbers, value

    @staticmethod
    def example_d_c(seen: Any, at: tuple[int, ...]) -> Any:
        if seen["c"].shape != seen.y.shape[1:] or seen.parameters["beta"] != 1:
            return None
        numbers, value = seen.sum(seen.grad[:, at[0]])
        return f"{seen.element('d_c', at)} = Σ_n grad[n,{at[0]}]", numbers, value

    @staticmethod
    def example_d_a(seen: Any, at: tuple[int, ...]) -> Any:
        return Mm.example_d_a(seen, at) if seen.parameters["alpha"] == 1 else None

    @staticmethod
    def example_d_b(seen: Any, at: tuple[int, ...]) -> Any:
        return Mm.example_d_b(seen, at) if seen.parameters["alpha"] == 1 else None


@method(in_place=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """A matrix product with something added: what a Linear layer computes.

    Formula:
        beta * input + alpha * (mat1 @ mat2); with beta = 0, NaN in the input has no effect

    Shape:
        input broadcasts to (N, M); mat1 (N, K), mat2 (K, M) -> (N, M)

    Raises:
        ShapeError: the inner sizes differ, or the input does not broadcast.
        RuntimeError: the types differ.

    Source: torch.addmm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.addmm(lenet.tensor([1.0]), lenet.ones(1, 3), lenet.ones(3, 1))
        tensor([[4.]])
    """
    wanted_tensors("addmm", input, mat1, mat2)
    check_product("addmm", mat1.array, mat2.array)
    check_types("addmm", input.array, mat1.array, mat2.array)
    beta, alpha = factors("addmm", mat1.array.dtype, beta, alpha)
    return Addmm.apply(input, mat1, mat2, beta=beta, alpha=alpha)
