"""`create_graph=True`: gradients with a history, to any order, through everything that stands on the tape."""

from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
import lenetcli.ops
from lenetcli import nn
from lenetcli.autograd import gradgradcheck
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import Node

grad = lenet.autograd.grad


def leaf(*values: float) -> Any:
    return lenet.tensor(values, dtype=lenet.float64, requires_grad=True)


def test_derivatives_go_to_any_order() -> None:
    x = leaf(2.0)
    y = x**6
    for order in range(1, 7):
        (y,) = grad(y.sum(), x, create_graph=True)
        assert y.item() == pytest.approx(np.prod(range(7 - order, 7)) * 2.0 ** (6 - order))
    x = leaf(0.3, -1.2)
    y = (x.tanh() * x.sin() + F.gelu(x)).exp()
    assert gradgradcheck(lambda x: grad(((x.tanh() * x).exp()).sum(), x, create_graph=True), x)


def net(module: Any) -> Any:
    """A layer of many kinds after another, under either library's names."""
    return module.Sequential(
        module.Conv2d(2, 4, 3, padding=1), module.BatchNorm2d(4), module.ReLU(), module.MaxPool2d(2),
        module.ConvTranspose2d(4, 3, 2, 2), module.GroupNorm(3, 3), module.SiLU(), module.AvgPool2d(2),
        module.Flatten(), module.LayerNorm(12), module.Linear(12, 8), module.Tanh(), module.Linear(8, 3),
    )  # fmt: skip


def hessian_vector(library: Any, model: Any, x: Any, y: Any, vectors: list[Any]) -> list[Any]:
    weights = list(model.parameters())
    loss = library.nn.functional.cross_entropy(model(x), y)
    first = library.autograd.grad(loss, weights, create_graph=True)
    return [g.detach().numpy() for g in library.autograd.grad(first, weights, vectors)]


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_hessian_vector_product_of_a_net_equals_torch(torch: Any, kind: str) -> None:
    lenet.manual_seed(0)
    ours, theirs = net(nn), net(torch.nn)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    ours, theirs = (m.double() if kind == "float64" else m for m in (ours, theirs))
    random = np.random.default_rng(0)
    x, y = random.standard_normal((5, 2, 4, 4)).astype(kind), random.integers(0, 3, 5)
    vectors = [random.standard_normal(tuple(p.shape)).astype(kind) for p in ours.parameters()]
    got = hessian_vector(lenet, ours, lenet.tensor(x), lenet.tensor(y), [lenet.tensor(v) for v in vectors])
    expected = hessian_vector(torch, theirs, torch.tensor(x), torch.tensor(y), [torch.tensor(v) for v in vectors])
    for a, b in zip(got, expected):
        tolerance = 1e-3 if kind == "float32" else 1e-9
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max()))


class Block(nn.Module):
    """Op by op, with ops that wait, a shared weight, a skip connection and a change in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.line = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4 * 8 * 8, 4 * 8 * 8)

    def forward(self, x: Any) -> Any:
        h = F.max_pool2d(F.relu(self.conv(x)), 2).flatten(1)
        h = h + F.relu(self.line(h))
        h[:, 0] = h[:, 1] * 2
        return self.line(h).pow(2).mean()


def test_ops_that_wait_and_recorded_chains_give_way() -> None:
    lenet.manual_seed(0)
    x = lenet.randn(6, 1, 16, 16)
    chain = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 9), nn.ReLU()
    )
    for model in (Block(), chain):
        plain = grad(model(x).sum(), list(model.parameters()))
        graph = grad(model(x).sum(), list(model.parameters()), create_graph=True)
        for a, b in zip(plain, graph):
            assert b.requires_grad
            assert not a.requires_grad
            np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)
        wide = copy.deepcopy(model).double()
        penalties = [
            grad(
                sum((g * g).sum() for g in grad(m(i).sum(), list(m.parameters()), create_graph=True)),
                list(m.parameters()),
            )
            for m, i in ((model, x), (wide, x.double()))
        ]
        for a, b in zip(*penalties):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-3, atol=1e-4 * float(b.abs().max()))


@pytest.mark.filterwarnings("ignore:Using backward")
def test_gradients_of_backward_are_kept_and_added_as_in_torch(torch: Any) -> None:
    def story(library: Any) -> list[Any]:
        x = library.tensor(3.0, requires_grad=True)
        (x**3).backward(create_graph=True)
        first = x.grad
        seen = [first.requires_grad, first.item()]
        (x**2).backward()
        seen += [x.grad is first, x.grad.item()]
        x.grad = None
        (x**2).backward()
        plain = x.grad
        (x**3).backward(create_graph=True)
        return [*seen, x.grad is plain, x.grad.requires_grad, x.grad.item(), plain.item()]

    assert story(lenet) == story(torch)
    x = leaf(2.0)
    y = x**3
    y.backward(create_graph=True, inputs=[x])
    assert grad(x.grad, x)[0].item() == 12
    with pytest.raises(RuntimeError, match="second time"):
        grad(x.grad, x)  # freed by the call before
    z = x**3
    (g,) = grad(z, x, create_graph=True, retain_graph=False)
    assert grad(g, x)[0].item() == 12  # which is made of other nodes
    with pytest.raises(RuntimeError, match="second time"):
        grad(z, x)


def test_a_gradient_that_has_a_graph_knows_when_it_is_changed() -> None:
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    y = x.grad * x.grad
    (x**2).sum().backward()
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        y.sum().backward()


def test_hooks_see_tensors_with_a_graph_as_in_torch(torch: Any) -> None:
    def story(library: Any) -> list[Any]:
        x, seen = library.tensor([2.0, 3.0], dtype=library.float64, requires_grad=True), list[Any]()
        h = x * x
        h.register_hook(lambda g: (seen.append(g), g * 3)[1])
        h.retain_grad()
        handle = x.register_hook(lambda g: g * x)
        y = (h * h).sum()
        assert y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2,))
        (g,) = library.autograd.grad(y, x, create_graph=True)
        assert h.grad.requires_grad
        handle.remove()
        (second,) = library.autograd.grad(g.sum(), x)
        layer = library.nn.Linear(2, 1).double()
        for p in layer.parameters():
            p.data.fill_(0.25)
        layer.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0] * 2,))
        (first,) = library.autograd.grad(layer(x.reshape(1, 2)).tanh().sum(), x, create_graph=True)
        (last,) = library.autograd.grad(first.sum(), x)
        assert seen[0].requires_grad
        return [t.tolist() for t in (g, second, first, last, seen[0])]

    for ours, theirs in zip(story(lenet), story(torch)):
        assert ours == pytest.approx(theirs)


def test_user_functions_are_differentiated_through_their_backward() -> None:
    class Cube(lenet.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 3 * x * x

    class Exp(lenet.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.saved_tensors[0]

    x = leaf(0.5, 2.0)
    assert gradgradcheck(Cube.apply, x)
    assert gradgradcheck(Exp.apply, x)


def test_views_and_changes_in_place_are_differentiated_twice() -> None:
    def changed(x: Any, y: Any) -> Any:
        a = x * 1
        part = a[1]
        a[0] = y * y
        part.mul_(y)
        a.t()[2].exp_()
        return a.view(-1) * part.sum() + a.expand(2, 2, 3).sum()

    x = lenet.randn(2, 3, dtype=lenet.float64, requires_grad=True)
    assert gradgradcheck(changed, (x, leaf(0.3, 0.7, 1.1)))


def test_recurrent_layers_are_differentiated_twice(torch: Any) -> None:
    random = np.random.default_rng(0)
    kinds = [("RNN", {"nonlinearity": "relu"}), ("RNN", {}), ("GRU", {"bidirectional": True})]
    kinds += [("LSTM", {"num_layers": 2, "bias": False}), ("LSTM", {"proj_size": 2, "bidirectional": True})]
    for name, options in kinds:
        lenet.manual_seed(0)
        ours, theirs = getattr(nn, name)(3, 4, **options).double(), getattr(torch.nn, name)(3, 4, **options).double()
        theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
        x, found = random.standard_normal((5, 2, 3)), []
        for library, layer in ((lenet, ours), (torch, theirs)):
            for packed in (False, True):
                leaf = library.tensor(x, requires_grad=True)
                pack = library.nn.utils.rnn.pack_padded_sequence
                y, state = layer(pack(leaf, [5, 3]) if packed else leaf)
                ends = [y.data if packed else y, *(state if isinstance(state, tuple) else (state,))]
                sources = [leaf, *layer.parameters()]
                first = library.autograd.grad(sum((e * e).sum() for e in ends), sources, create_graph=True)
                second = library.autograd.grad(sum((g * g).sum() for g in first), sources)
                found.append([g.detach().numpy() for g in (*first, *second)])
        for a, b in zip([*found[0], *found[1]], [*found[2], *found[3]]):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10, err_msg=f"{name} {options}")


def test_what_is_refused() -> None:
    x = leaf(0.0, 1.0)
    with pytest.raises(NotImplementedError, match="Hardsigmoid has no second derivative here"):
        F.hardsigmoid(x).sum().backward(create_graph=True)
    with pytest.raises(NotImplementedError, match="is_grads_batched"):
        grad(x * 2, x, lenet.ones(3, 2, dtype=lenet.float64), create_graph=True, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="index 1 appears to not have been used"):
        grad((x * x).sum(), [x, leaf(1.0)], create_graph=True)
    zeros = grad((x * x).sum(), [x, leaf(1.0)], create_graph=True, materialize_grads=True)[1]
    assert zeros.tolist() == [0.0]
    (g,) = grad((x * 2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        g.sum().backward()


def test_every_op_has_a_second_derivative_but_those_that_the_docs_name() -> None:
    def below(kind: type[Node]) -> Iterator[type[Node]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    for found in pkgutil.walk_packages(lenetcli.ops.__path__, "lenetcli.ops."):
        importlib.import_module(found.name)
    without = {
        op.__name__
        for op in below(Op)
        if op.__module__.startswith("lenetcli.") and op.backward_graph is Node.backward_graph
    }
    no_gradient = {"FloorDivide", "Heaviside", "Unique2", "UniqueConsecutive", "UniqueDim"}
    here_and_in_torch = {
        "Cdist",
        "CtcLoss",
        "MultiMarginLoss",
        "MultilabelMarginLoss",
        "Pdist",
    }  # Hardsigmoid says so itself
    assert without == no_gradient | here_and_in_torch | {"SingularVectors", "SyncBatchNorm"}


def test_second_derivatives_through_maxima_of_volumes() -> None:
    x = lenet.randn(2, 3, 4, 5, 3, dtype=lenet.float64, requires_grad=True)
    for pool in (
        lambda x: F.max_pool3d(x, (3, 2, 2), 2, 1, (1, 2, 1), ceil_mode=True),
        lambda x: F.max_pool3d(x, 2, return_indices=True)[0],
        lambda x: F.adaptive_max_pool3d(x, (3, 2, 2)),
        lambda x: F.max_pool3d(x[0], 2),
    ):
        assert gradgradcheck(lambda x, pool=pool: pool(x * x), x)
    empty = lenet.zeros(0, 2, 4, 4, 4, requires_grad=True)
    (first,) = grad((F.max_pool3d(empty, 2) ** 2).sum(), empty, create_graph=True)
    assert grad(first.sum(), empty)[0].shape == (0, 2, 4, 4, 4)
