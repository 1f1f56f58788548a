"""User-defined functions."""

from __future__ import annotations

from typing import Any

import pytest

import lenetcli as lenet
from lenetcli.autograd import Function


class Product(Function):
    @staticmethod
    def forward(ctx: Any, a: lenet.Tensor, b: lenet.Tensor, power: int) -> lenet.Tensor:
        ctx.save_for_backward(a, b)
        ctx.power = power
        return (a * b) ** power

    @staticmethod
    def backward(ctx: Any, grad: lenet.Tensor) -> Any:
        a, b = ctx.saved_tensors
        inner = grad * ctx.power * (a * b) ** (ctx.power - 1)
        return inner * b if ctx.needs_input_grad[0] else None, inner * a if ctx.needs_input_grad[1] else None, None


def test_gradients_of_a_user_function_are_right() -> None:
    a = lenet.tensor([2.0, -1.0], dtype=lenet.float64, requires_grad=True)
    b = lenet.tensor([0.5, 3.0], dtype=lenet.float64, requires_grad=True)
    assert lenet.autograd.gradcheck(lambda x, y: Product.apply(x, y, 3), (a, b))


def test_its_node_has_its_name_and_its_edges() -> None:
    a = lenet.tensor([2.0], requires_grad=True)
    y = Product.apply(a, lenet.tensor([1.0]), 2)
    assert y.grad_fn.name() == "ProductBackward"
    assert [n and n.name() for n, _ in y.grad_fn.next_functions] == ["AccumulateGrad", None, None]


def test_a_second_backward_raises() -> None:
    a = lenet.tensor([2.0], requires_grad=True)
    y = Product.apply(a, a, 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_changing_a_saved_tensor_in_place_raises() -> None:
    a = lenet.tensor([2.0], requires_grad=True)
    b = lenet.tensor([2.0])
    y = Product.apply(a, b, 2).sum()
    b.add_(1)
    with pytest.raises(RuntimeError, match="in-place"):
        y.backward()


def test_a_wrong_number_of_gradients_is_refused() -> None:
    class Wrong(Function):
        @staticmethod
        def forward(ctx: Any, a: lenet.Tensor, b: lenet.Tensor) -> lenet.Tensor:
            return a + b

        @staticmethod
        def backward(ctx: Any, grad: lenet.Tensor) -> Any:
            return grad

    a = lenet.tensor([2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="returned 1 gradients, forward had 2 arguments"):
        Wrong.apply(a, a).sum().backward()
