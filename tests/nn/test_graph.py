"""Graph and the layers that join: values, gradients and names as of a Module written by hand, and what they refuse."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd.gradcheck import gradcheck
from lenetcli.autograd.modes import fusion
from lenetcli.nn.graph import Chain, Wiring, chains
from tests.rows import rows_done


class ByHand(nn.Module):
    """The net of `graph`, with its branches in `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.left = nn.Conv2d(4, 4, 1)
        self.right = nn.Conv2d(4, 4, 3, padding=1)
        self.fc1 = nn.Linear(128, 12)
        self.fc2 = nn.Linear(12, 3)

    def forward(self, x: Any) -> Any:
        x = self.pool(lenet.relu(self.conv1(x)))
        joined = lenet.cat([self.left(x) + x, self.right(x)], 1)
        return self.fc2(lenet.relu(self.fc1(lenet.flatten(joined, 1))))


def graph() -> nn.Graph:
    by_hand = ByHand()
    layers = {
        "conv1": by_hand.conv1, "relu1": nn.ReLU(), "pool": by_hand.pool,
        "left": by_hand.left, "sum": nn.Add(), "right": by_hand.right, "joined": nn.Concat(),
        "flatten": nn.Flatten(), "fc1": by_hand.fc1, "relu2": nn.ReLU(), "fc2": by_hand.fc2,
    }  # fmt: skip
    return nn.Graph(layers, {"sum": ["left", "pool"], "right": ["pool"], "joined": ["sum", "right"]})


def both(seed: int = 0) -> tuple[nn.Graph, ByHand]:
    lenet.manual_seed(seed)
    net, by_hand = graph(), ByHand()
    by_hand.load_state_dict(net.state_dict())
    return net, by_hand


@pytest.mark.parametrize("fused", [True, False])
def test_a_graph_is_the_net_written_by_hand(fused: bool) -> None:
    net, by_hand = both()
    x = lenet.randn(5, 1, 8, 8)
    results = []
    with fusion(fused):
        for model in (net, by_hand):
            inputs = x.clone().requires_grad_()
            y = model(inputs)
            (y * y).sum().backward()
            results.append([y, inputs.grad, *(p.grad for p in model.parameters())])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert list(net.state_dict()) == list(by_hand.state_dict())


def test_gradients_hold_against_differences() -> None:
    net, _ = both()
    net.double()
    assert gradcheck(net, (lenet.randn(2, 1, 8, 8, dtype=lenet.float64, requires_grad=True),))


def test_runs_within_a_graph_become_one_op() -> None:
    from lenetcli.nn.fusion import allowed

    net, _ = both()
    if allowed():
        with rows_done() as rows:
            net(lenet.randn(256, 1, 8, 8))
        assert {"ConvReluPool", "LinearRelu"} <= set(rows)


def test_a_graph_and_its_layers_are_copied_and_saved(tmp_path: Any) -> None:
    import copy

    net, by_hand = both()
    x = lenet.randn(2, 1, 8, 8)
    copied = copy.deepcopy(net)
    assert copied.wiring == net.wiring
    with lenet.no_grad():
        assert lenet.equal(copied(x), net(x))
    lenet.save(net.state_dict(), tmp_path / "net.safetensors")
    by_hand.load_state_dict(lenet.load(tmp_path / "net.safetensors"))


def test_several_outputs_come_in_the_order_asked_for() -> None:
    layers = {"a": nn.ReLU(), "b": nn.Tanh(), "c": nn.Sigmoid()}
    net = nn.Graph(layers, {"b": ["a"], "c": ["a"]}, ["c", "a", "b"])
    x = lenet.tensor([[0.5, -1.0]])
    found = net(x)
    assert isinstance(found, tuple)
    assert [lenet.equal(*pair) for pair in zip(found, (lenet.sigmoid(x.relu()), x.relu(), x.relu().tanh()))] == [
        True
    ] * 3


class Watched(nn.Module):
    """Notes which of the values it was given are still there when others are made."""

    seen: list[Any]  # weak references to arrays
    alive: list[int]

    def __init__(self) -> None:
        super().__init__()

    def forward(self, *inputs: Any) -> Any:
        y = inputs[0] + 1.0
        gc.collect()
        self.alive.append(sum(reference() is not None for reference in self.seen))
        self.seen.append(weakref.ref(y))
        return y


def test_a_value_is_freed_after_the_last_layer_that_takes_it() -> None:
    class Noting(Watched):
        seen: list[Any] = []  # noqa: RUF012 - one for all layers, on purpose
        alive: list[int] = []  # noqa: RUF012

    layers: dict[str, nn.Module] = {name: Noting() for name in "abcdef"}
    net = nn.Graph(layers, {"b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"], "f": ["e"]})
    with lenet.no_grad():
        net(lenet.zeros(2, 2))
    assert Noting.alive[:5] == [0, 1, 2, 2, 1]  # d: a is gone; e: b and c are
    if sys.version_info >= (3, 11):  # before, Python itself keeps what a call was given
        assert Noting.alive[5] == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Graph({}), "at least one layer"),
        (lambda: nn.Graph({"a": nn.ReLU()}, {"b": ["a"]}), "wires of b"),
        (lambda: nn.Graph({"a": nn.ReLU()}, {"a": ["b"]}), "a takes b, which is no layer before it"),
        (lambda: nn.Graph({"a": nn.ReLU(), "b": nn.Tanh()}, {"a": ["b"]}), "a takes b"),
        (lambda: nn.Graph({"a": nn.ReLU()}, {"a": ["a"]}), "a takes a"),
        (lambda: nn.Graph({"a": nn.ReLU()}, {"a": []}), "a takes nothing"),
        (lambda: nn.Graph({"a": nn.ReLU(), "b": nn.Tanh()}, {"b": ["input"]}), "nothing takes the values of a"),
        (lambda: nn.Graph({"a": nn.ReLU()}, outputs="b"), "outputs b"),
        (lambda: nn.Graph({"a": nn.ReLU()}, outputs=[]), "outputs"),
        (lambda: nn.Graph({"a": nn.ReLU()}, outputs=["a", "a"]), "different"),
        (lambda: nn.Graph({"input": nn.ReLU()}), "input is the name"),
    ],
)
def test_a_graph_that_cannot_be_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("layer", "shapes", "error"),
    [
        (nn.Add(), [(2, 3, 4, 4), (2, 3, 4, 5)], "one shape, got"),
        (nn.Add(), [(2, 1, 4, 4), (2, 3, 4, 4)], "one shape"),
        (nn.Add(), [(2, 3), (2, 3, 1)], "one shape"),
        (nn.Add(), [(2, 3), (1, 3)], "one shape"),
        (nn.Multiply(), [(2, 3, 4), (2, 3, 5)], "sizes of 1"),
        (nn.Concat(), [(2, 3, 4), (2, 3, 5)], "dimension 1"),
        (nn.Concat(2), [(2, 3, 4), (2, 4, 4)], "dimension 2"),
        (nn.Concat(0), [(2, 3), (2, 3)], "dimension of samples"),
        (nn.Concat(2), [(2, 3), (2, 3)], "dimension of samples"),
        (nn.Concat(-2), [(2, 3), (2, 3)], "dimension of samples"),
        (nn.Concat(), [(2,), (2,)], "dimension of samples"),
    ],
)
def test_shapes_that_do_not_join_are_refused(layer: nn.Module, shapes: Any, error: str) -> None:
    with pytest.raises(RuntimeError, match=error):
        layer(*map(lenet.zeros, shapes))


@pytest.mark.parametrize("layer", [nn.Add(), nn.Multiply(), nn.Concat()])
def test_what_joins_wants_two_tensors(layer: nn.Module) -> None:
    with pytest.raises(TypeError, match="two inputs or more, got 1"):
        layer(lenet.ones(2, 2))
    with pytest.raises(TypeError, match="takes tensors, got int"):
        layer(lenet.ones(2, 2), 3)


@pytest.mark.parametrize("order", ["C", "batch-last"])
def test_joining_layers_compute_what_torch_does(torch: Any, order: str) -> None:
    random = np.random.default_rng(0)
    a, b, gate = (random.standard_normal(s).astype(np.float32) for s in ((2, 3, 4, 4), (2, 3, 4, 4), (2, 3, 1, 1)))
    if order == "batch-last":
        a, b, gate = (np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0) for x in (a, b, gate))
    cases = {
        "add": ((a, b, a), nn.Add(), lambda x, y, z: x + y + z),
        "spread": ((a, gate), nn.Add(), lambda x, y: x + y),
        "gate": ((a, gate, b), nn.Multiply(), lambda x, y, z: x * y * z),
        "concat": ((a, b), nn.Concat(), lambda x, y: torch.cat([x, y], 1)),
        "rows": ((a, b), nn.Concat(-2), lambda x, y: torch.cat([x, y], -2)),
    }
    for name, (arrays, layer, theirs) in cases.items():
        ours_in = [lenet.from_numpy(x.copy(order="K")).requires_grad_() for x in arrays]
        theirs_in = [torch.from_numpy(x.copy()).requires_grad_() for x in arrays]
        ours, expected = layer(*ours_in), theirs(*theirs_in)
        np.testing.assert_allclose(ours.detach().numpy(), expected.detach().numpy(), rtol=1e-6, err_msg=name)
        (ours * ours).sum().backward()
        (expected * expected).sum().backward()
        for left, right in zip(ours_in, theirs_in):
            assert left.grad is not None
            np.testing.assert_allclose(left.grad.numpy(), right.grad.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)


def test_only_values_without_other_users_are_run_through() -> None:
    wires = {"a": ("input",), "b": ("a",), "c": ("b",), "d": ("b", "c"), "e": ("d",), "f": ("e",)}
    assert chains(Wiring(wires, ("e", "f"))) == [
        Chain(("a", "b"), (("input", True),)),
        Chain(("c",), (("b", False),)),
        Chain(("d", "e"), (("b", True), ("c", True))),
        Chain(("f",), (("e", False),)),
    ]
