"""Gradients of ops in a row as one op, which can be differentiated in its turn.

A row of `ops.fusion` that begins with a product (a convolution, a linear layer) and goes on with what keeps some of its
results and drops the others (relu, pooling) is, with its choice fixed,

    y = K(x · weight + bias)

where K keeps. It is linear in each of the three, so that its gradients are products of the same kind: no more than the
kept places of any of them has to be computed. That the choice depends on x does not matter: it changes in steps only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import missing_factors, saved_tensors, standing_for, zeros_of
from lenetcli.autograd.tape import Variable
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array, outline, zeros
from lenetcli.kernels.window import Pair

Needs = tuple[bool, bool, bool]  # gradients of x, weight and bias


class Kept(NamedTuple):
    """A convolution of which 2x2 pooling keeps the winners."""

    winner: Array
    padding: Pair

    def product(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """K(x · weight + bias)"""
        return kernels.conv_at_winners(x, weight, bias, self.winner, self.padding)

    def gradients(self, grad: Array, x: Array, weight: Array, needs: Needs) -> Sequence[Array | None]:
        """Those that are needed, None for others."""
        found = kernels.conv_relu_pool_backward(
            grad, x, weight, self.winner, self.padding, needs[0], needs[1] or needs[2]
        )
        return [d if needed else None for d, needed in zip(found, needs)]


class LetThrough(NamedTuple):
    """A linear layer, weight (I, O), of which relu lets through what is above zero in its result, y."""

    y: Array
    relu: Op  # refuses y where it was changed in place

    def product(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """K(x · weight + bias)"""
        self.relu.check_saved()
        return kernels.relu_backward(kernels.linear(x, weight.T, bias), self.y)

    def gradients(self, grad: Array, x: Array, weight: Array, needs: Needs) -> Sequence[Array | None]:
        """Those that are needed, None for others."""
        self.relu.check_saved()
        if not needs[1] and not needs[2]:
            return kernels.product(kernels.relu_backward(grad, self.y), weight.T), None, None
        d_x, d_weight, d_bias = kernels.linear_relu_backward(grad, x, weight.T, self.y, needs[0])
        return d_x, d_weight.T if needs[1] else None, d_bias if needs[2] else None


class RowProduct(Op):
    """`of.product(x, weight, bias)`."""

    formula = "y = what {of} keeps of x · weight + bias"
    gradient = ("d_x = grad · weight", "d_weight = grad · x", "d_bias = the sum of grad")

    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None, *, of: Any) -> Array:
        ctx.save(x, weight)
        return of.product(x, weight, bias)

    def backward(ctx: Any, grad: Array) -> Any:
        return tuple(ctx.parameters["of"].gradients(grad, *ctx.saved, ctx.needs_input_grad))

    saves = ("x", "weight")

    def backward_graph(ctx: Any, grad: Any) -> Any:
        x, weight = saved_tensors(ctx)
        return row_gradients(ctx.parameters["of"], grad, x, weight, None, ctx.needs_input_grad)


class RowBackward(Op):
    """The gradients of a row, as many as are needed.

    Of s = <grad, K(x · weight + bias)> it gives what s changes by with x, weight and bias; u, v and w being what comes
    back to them, its own gradient is that of <grad, K(u · weight + x · v + w)>.
    """

    formula = "d_x, d_weight, d_bias = the gradients of what {of} keeps"
    gradient = (
        "d_grad = what is kept of u · weight + x · v + w",
        "d_x = grad · v",
        "d_weight = grad · u",
        "d_bias = 0",
    )

    def forward(
        ctx: Any, grad: Array, x: Array, weight: Array, bias: Array | None, *, of: Any, needs: Needs
    ) -> tuple[Array, ...]:
        ctx.save(grad, x, weight)
        return tuple(d for d, needed in zip(of.gradients(grad, x, weight, needs), needs) if needed)

    saves = ("grad", "x", "weight")

    def backward(ctx: Any, *given: Array | None) -> Any:
        of = ctx.parameters["of"]
        (grad, x, weight), (u, v, w) = ctx.saved, ctx.places(given)
        need_grad, need_x, need_weight, need_bias = ctx.needs_input_grad
        d_grad = None
        if need_grad:
            d_grad = None if u is None else of.product(u, weight, w)
            if v is not None:
                more = of.product(x, v, w if d_grad is None else None)
                d_grad = more if d_grad is None else kernels.plus(d_grad, more)
            if d_grad is None:
                d_grad = of.product(np.zeros_like(x), weight, w)
        return (
            d_grad,
            of.gradients(grad, outline(x.shape, grad), v, (True, False, False))[0]
            if need_x and v is not None
            else None,
            of.gradients(grad, u, outline(weight.shape, grad), (False, True, False))[1]
            if need_weight and u is not None
            else None,
            zeros(ctx.bias_shape(), grad) if need_bias else None,
        )

    def backward_graph(ctx: Any, *given: Any) -> Any:
        of = ctx.parameters["of"]
        (grad, x, weight), (u, v, w) = saved_tensors(ctx), ctx.places(given)
        need_grad, need_x, need_weight, _ = ctx.needs_input_grad
        parts = [(a, b) for a, b in ((u, weight), (x, v)) if a is not None and b is not None]
        if need_grad and not parts:
            parts = [(x * 0, weight)]
        products = [RowProduct.apply(*part, w if i == 0 else None, of=of) for i, part in enumerate(parts)]
        return (
            sum(products[1:], products[0]) if need_grad else None,
            row_gradients(of, grad, x, v, None, (True, False, False))[0] if need_x and v is not None else None,
            row_gradients(of, grad, u, weight, None, (False, True, False))[1]
            if need_weight and u is not None
            else None,
            None,
        )

    def places(ctx: Any, given: Sequence[Any]) -> list[Any]:
        """u, v and w, None where they are missing."""
        left = iter(given)
        return [next(left) if needed else None for needed in ctx.parameters["needs"]]

    def bias_shape(ctx: Any) -> tuple[int, ...]:
        node, number = ctx.edges[3]
        return node.outputs[number][0]


def graph(first: Any, grad: Any, x: int, bias: int | None, of: Any) -> tuple[Any, Any, Any]:
    """The gradients of a row's first op, as tensors: of x, weight and bias.

    Args:
        x: the place of that operand, behind which is the weight's.
        bias: the place of that one; None where there is none.
    """
    needs = first.needs_input_grad
    factor, weight = missing_factors(first, (x, x + 1), *saved_tensors(first))
    stands = None
    if bias is not None and needs[bias]:  # nothing depends on it, but its second derivative is 0, not missing
        stands = standing_for(first, bias, zeros_of(first.edges[bias], grad.array))
    wanted = needs[x], needs[x + 1], stands is not None
    d_x, d_weight, d_bias = row_gradients(of, grad, factor, weight, stands, wanted)
    return d_x, d_weight, d_bias


def row_gradients(of: Any, grad: Any, x: Any, weight: Any, bias: Variable | None, needs: Needs) -> list[Any]:
    """The gradients of `of.product(x, weight, bias)`, as tensors; None for what is not needed."""
    found = iter(RowBackward.apply(grad, x, weight, bias, of=of, needs=needs))
    return [next(found) if needed else None for needed in needs]
