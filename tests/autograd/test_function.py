"""User-defined functions."""

from __future__ import annotations

import importlib
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


def scaled(m: Any) -> Any:
    """A function of two outputs whose context is set up beside forward."""

    class Scaled(m.autograd.Function):  # type: ignore[misc,name-defined]
        @staticmethod
        def forward(x: Any, by: float) -> Any:
            return x * by, (x > 0) * 1

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            x, ctx.by = inputs
            ctx.save_for_backward(x, output[0])
            ctx.mark_non_differentiable(output[1])

        @staticmethod
        def backward(ctx: Any, grad: Any, _: Any) -> Any:
            x, y = ctx.saved_tensors
            return grad * ctx.by * x * y, None

    return Scaled


def test_a_context_is_set_up_beside_forward(torch: Any) -> None:
    def told(m: Any) -> Any:
        x = m.tensor([1.0, -3.0], requires_grad=True)
        y, sign = scaled(m).apply(x, 2.0)
        (first,) = m.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = m.autograd.grad(first.sum(), x)
        kinds = y.requires_grad, sign.requires_grad, scaled(m).apply(x.detach(), 2.0)[0].requires_grad
        return first.tolist(), second.tolist(), sign.tolist(), kinds

    assert told(lenet) == told(torch)


@pytest.mark.parametrize("used", [True, False])
def test_a_backward_that_is_marked_is_differentiated_once(torch: Any, used: bool) -> None:
    def told(m: Any) -> Any:
        once = importlib.import_module(f"{m.__name__}.autograd.function").once_differentiable

        class Cube(m.autograd.Function):  # type: ignore[misc,name-defined]
            @staticmethod
            def forward(ctx: Any, x: Any, y: Any) -> Any:
                ctx.save_for_backward(x)
                return x**3

            @staticmethod
            @once
            def backward(ctx: Any, grad: Any) -> Any:
                return m.from_numpy(3 * grad.numpy() * ctx.saved_tensors[0].detach().numpy() ** 2), None

        x = m.tensor([1.0, -3.0], requires_grad=True)
        seed = m.ones(2, requires_grad=used)
        (plain,) = m.autograd.grad(Cube.apply(x, 1), x, seed.detach())
        (first,) = m.autograd.grad(Cube.apply(x, 1), x, seed, create_graph=True)
        try:
            if used:
                first.sum().backward()
            else:
                m.autograd.grad(first.sum(), x)
        except RuntimeError as error:
            return plain.tolist(), first.tolist(), str(error)

    ours, theirs = told(lenet), told(torch)
    assert ours[:2] == theirs[:2]
    assert ours[2].startswith("trying to differentiate twice")  # where torch has lost the graph, it says that
    assert theirs[2].startswith("trying to differentiate twice") is used
