"""Fused runs of layers, forward and backward: equal to the single ops over random nets, absent where somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.autograd.modes import detect_anomaly, fusion
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import Node
from lenetcli.kernels import dispatch, native
from lenetcli.kernels.layout import logical, stored
from lenetcli.ops.rows import RowBackward
from tests.rows import rows_done

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))


@pytest.fixture(autouse=True)
def _native_kernels() -> Iterator[None]:
    with dispatch.force("native"):
        yield


def random_net(random: np.random.Generator) -> tuple[nn.Sequential, tuple[int, ...]]:
    """Convolutions, relus, pools and linear layers in an order that often, but not always, fuses."""
    channels, h, w = (int(v) for v in random.integers((1, 12, 12), (4, 24, 24)))
    shape = channels, h, w
    layers: list[Any] = []
    for _ in range(int(random.integers(1, 3))):
        kernel, padding, out = int(random.integers(1, 6)), int(random.integers(0, 3)), int(random.integers(1, 9))
        stride = int(random.choice([1, 1, 1, 2]))
        layers.append(nn.Conv2d(channels, out, kernel, stride, padding, bias=bool(random.integers(2))))
        h, w = ((v + 2 * padding - kernel) // stride + 1 for v in (h, w))
        channels = out
        layers.append(nn.ReLU(inplace=bool(random.integers(2))) if random.random() < 0.8 else nn.Tanh())
        if min(h, w) >= 4:
            layers.append(nn.MaxPool2d(2) if random.random() < 0.8 else nn.MaxPool2d(3, 1))
            h, w = (h // 2, w // 2) if layers[-1].kernel_size == 2 else (h - 2, w - 2)
        if min(h, w) < 6:
            break
    layers += [
        nn.Flatten(),
        nn.Linear(channels * h * w, 13),
        nn.ReLU(),
        nn.Linear(13, 5, bias=bool(random.integers(2))),
    ]
    if random.random() < 0.5:
        layers += [nn.ReLU(), nn.Linear(5, 3)]
    return nn.Sequential(*layers), shape


def gradients(net: nn.Sequential, x: np.ndarray, fused: bool, grads: np.ndarray | None) -> list[Any]:
    """The output, and the gradients of input and parameters."""
    net.zero_grad()
    inputs = lenet.from_numpy(x)
    inputs.requires_grad_()
    with fusion(fused):
        y = net(inputs)
    y.backward(lenet.from_numpy(np.ones_like(y.array) if grads is None else grads))
    return [y.detach().numpy(), inputs.grad.numpy(), *(p.grad.numpy() for p in net.parameters())]


@pytest.mark.parametrize("seed", range(60))
def test_fused_nets_equal_their_single_ops(seed: int) -> None:
    random = np.random.default_rng(seed)
    lenet.manual_seed(seed)
    net, shape = random_net(random)
    n = int(random.choice([1, 2, 5, 8, 16, 17, 33]))
    x = random.standard_normal((n, *shape)).astype(np.float32)
    if random.random() < 0.5:
        x = logical(stored(x))
    for one, other in zip(gradients(net, x, True, None), gradients(net, x, False, None)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * max(1, float(np.abs(other).max())))


def second_and_third(net: nn.Sequential, x: np.ndarray, fused: bool) -> list[np.ndarray]:
    sources = [lenet.from_numpy(x).requires_grad_(), *net.parameters()]
    with fusion(fused):
        first = lenet.autograd.grad((net(sources[0]) ** 2).sum(), sources, create_graph=True)
        second = lenet.autograd.grad(sum((g * g.detach().sin()).sum() for g in first), sources, create_graph=True)
        third = lenet.autograd.grad(sum((g * g.detach().cos()).sum() for g in second), sources)
    return [g.detach().numpy() for g in (*first, *second, *third)]


@pytest.mark.parametrize("seed", range(12))
def test_gradients_of_gradients_of_fused_nets_equal_those_of_single_ops(seed: int) -> None:
    random = np.random.default_rng(seed)
    lenet.manual_seed(seed)
    net, shape = random_net(random)
    x = random.standard_normal((int(random.choice([1, 5, 17])), *shape)).astype(np.float32)
    one, other = (second_and_third(net, x, fused) for fused in (True, False))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5 * max(1, float(np.abs(b).max())))


def test_a_row_of_ops_that_can_be_done_as_one_is_differentiated_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lenet.manual_seed(0)
    x, rows = lenet.randn(16, 1, 12, 12), []
    run = RowBackward.backward

    def noted(ctx: Any, *given: Any) -> Any:
        rows.append(type(ctx.parameters["of"]).__name__)
        return run(ctx, *given)

    monkeypatch.setattr(RowBackward, "backward", noted)
    convolution = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2)
    net = nn.Sequential(*convolution, nn.Flatten(), nn.Linear(100, 8), nn.ReLU())
    slopes = lenet.autograd.grad((net(x) ** 2).sum(), list(net.parameters()), create_graph=True)
    sum((g * g).sum() for g in slopes).backward()
    assert sorted(rows) == ["Kept", "LetThrough"]


def test_a_change_in_place_of_a_fused_result_is_noticed_by_the_second_backward() -> None:
    layer, x = nn.Linear(64, 32), lenet.randn(64, 64)
    y = nn.Sequential(layer, nn.ReLU())(x)
    (slope,) = lenet.autograd.grad((y**2).sum(), layer.weight, create_graph=True)
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        (slope**2).sum().backward()


@pytest.mark.parametrize("scales", [{"alpha": 2}, {"beta": 0.5}, {}], ids=str)
def test_relu_after_another_sum_of_a_product_has_that_sums_gradient(scales: dict[str, float]) -> None:
    found = []
    for fused in (True, False):
        lenet.manual_seed(0)
        c, a, b = (lenet.rand(*size).requires_grad_() for size in ((4, 3), (4, 5), (5, 3)))
        with fusion(fused):
            lenet.addmm(c if not scales else c[0], a, b, **scales).relu().sum().backward()
        found.append([t.grad.numpy() for t in (c, a, b)])
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [8, 9])
def test_fused_nets_spread_nan_and_infinity_as_single_ops_do(value: float, size: int) -> None:
    lenet.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 9), nn.ReLU())
    for place in ((3, 1, 0, 0), (3, 1, size - 1, size - 1), (0, 0, size // 2, 1)):
        x = np.random.default_rng(1).standard_normal((17, 2, size, size)).astype(np.float32)
        x[place] = value
        for one, other in zip(gradients(net, x, True, None), gradients(net, x, False, None)):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def example() -> tuple[nn.Sequential, Any]:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 20), nn.ReLU(), nn.Linear(20, 2)
    )
    return net, lenet.randn(64, 1, 8, 8)


SINGLE = [
    "AddmmBackward", "ReluBackward", "AddmmBackward", "ViewBackward", "MaxPool2DWithIndicesBackward", "ReluBackward",
    "ConvolutionBackward",
]  # fmt: skip


def path(tensor: Any) -> list[Node]:
    """The nodes of a chain of layers, last first, without those of parameters."""
    found, node = [], tensor.grad_fn
    while node is not None:
        found.append(node)
        below = [n for n, _ in node.next_functions if n is not None]
        node = next((n for n in below if n.name() not in ("AccumulateGrad", "TBackward")), None)
    return found


def test_runs_of_layers_are_done_as_one_and_keep_the_graph_of_single_ops() -> None:
    net, x = example()
    with rows_done() as rows:
        y = net(x)
    assert rows == ["ConvReluPool", "LinearRelu"]
    assert [node.name() for node in path(y)] == SINGLE
    with fusion(False), rows_done() as rows:
        y = net(x)
    assert rows == []
    assert [node.name() for node in path(y)] == SINGLE


@pytest.mark.parametrize("frozen", ["weight", "bias", "both", "input"])
def test_frozen_parts_of_linear_layers_get_no_gradient(frozen: str) -> None:
    lenet.manual_seed(0)
    found = []
    for fused in (True, False):
        lenet.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
        x = lenet.randn(5, 2, 3).requires_grad_(frozen != "input")
        for layer in (net[1], net[3]):
            layer.weight.requires_grad_(frozen not in ("weight", "both"))
            layer.bias.requires_grad_(frozen not in ("bias", "both"))
        with fusion(fused):
            net(x).square().sum().backward()
        found.append([None if p.grad is None else p.grad.numpy() for p in (x, *net.parameters())])
    for one, other in zip(*found):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_fused_nodes_know_their_module() -> None:
    net, x = example()
    found = [node.metadata["module"] for node in path(nn.Sequential(net)(x))]
    assert found == ["0.6", "0.5", "0.4", "0.3", "0.2", "0.1", "0.0"]


def _own_forward(net: nn.Sequential) -> Any:
    net[1].forward = lambda x: x.abs()


def _special_pool(net: nn.Sequential) -> Any:
    net[2] = nn.MaxPool2d(2, 2, ceil_mode=True)


def _double(net: nn.Sequential) -> Any:
    net.double()


def _looking_hook(net: nn.Sequential) -> Any:
    net[1].register_forward_hook(lambda module, args, result: result.detach())


@pytest.mark.parametrize("change", [_own_forward, _special_pool, _double, _looking_hook])
def test_layers_that_are_looked_at_or_special_run_one_by_one(change: Callable[[nn.Sequential], Any]) -> None:
    net, x = example()
    change(net)
    with rows_done() as rows:
        net(x.double() if change is _double else x)
    assert "ConvReluPool" not in rows


class OwnConv(nn.Conv2d):
    """A subclass that changes nothing."""


def test_hooks_that_do_not_look_and_subclasses_change_nothing() -> None:
    net, x = example()
    net[0] = OwnConv(1, 2, 3)
    net[1].register_forward_hook(lambda *_: None)
    with rows_done() as rows:
        net(x)
    assert "ConvReluPool" in rows


def test_anomaly_mode_and_numpy_kernels_run_every_op() -> None:
    net, x = example()
    with rows_done() as rows:
        with detect_anomaly():
            net(x)
        with dispatch.force("numpy"):
            net(x)
    assert rows == []


def test_a_misfit_raises_the_layers_own_error() -> None:
    net, _ = example()
    with pytest.raises(RuntimeError, match="channels"):
        net(lenet.randn(3, 2, 8, 8))
    with pytest.raises(RuntimeError, match="window"):
        net(lenet.randn(3, 1, 3, 3))
    with pytest.raises(RuntimeError, match="linear"):
        net(lenet.randn(3, 1, 12, 12))


def test_a_change_in_place_of_what_backward_needs_is_noticed() -> None:
    net, x = example()
    x.requires_grad_()
    h = x * 1
    y = net(h)
    h.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        y.sum().backward()


@pytest.mark.parametrize("constant", ["input", "weight"])
def test_fused_linear_layers_let_go_of_what_only_a_constants_gradient_would_need(constant: str) -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    leaf = lenet.randn(2, 4).requires_grad_(constant != "input")
    net[0].weight.requires_grad_(constant != "weight")
    grads = []
    for change in (False, True):
        h = leaf * 1
        y = net(h)
        if change:
            with lenet.no_grad():
                (net[0].weight if constant == "input" else h).mul_(2)
        leaf.grad = net[0].weight.grad = None
        y.sum().backward()
        grad = leaf.grad if constant == "weight" else net[0].weight.grad
        assert grad is not None
        grads.append(grad.numpy())
    np.testing.assert_array_equal(*grads)


def pooled(x: Any, conv: nn.Conv2d, case: str = "") -> Any:
    """max_pool(relu(conv(x))), op by op."""
    y = F.relu(conv(x), inplace=case == "inplace")
    if case == "wide window":
        return F.max_pool2d(y, 3, 2, padding=1)
    return F.max_pool2d(y, 2, ceil_mode=case == "ceil_mode")


@pytest.mark.parametrize("case", ["", "inplace", "wide window", "ceil_mode", "strided", "frozen", "numpy", "double"])
@pytest.mark.parametrize("n", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("size", [10, 13])
def test_merged_backward_equals_the_single_nodes(case: str, n: int, size: int) -> None:
    random = np.random.default_rng(n)
    lenet.manual_seed(n)
    first, second = nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 4, 3, stride=2 if case == "strided" else 1, bias=n > 3)
    if case == "frozen":
        first.weight.requires_grad_(False)
    values = random.standard_normal((n, 2, size, size)).astype(np.float64 if case == "double" else np.float32)
    for conv in (first, second):
        conv.to(lenet.float64 if case == "double" else lenet.float32)

    def gradients(merge: bool) -> list[Any]:
        x = lenet.from_numpy(logical(stored(values)))
        x.requires_grad_()
        y = pooled(pooled(x, first, case), second, case)
        for p in (*first.parameters(), *second.parameters()):
            p.grad = None
        with fusion(merge):
            (y * y).sum().backward()
        return [x.grad, *(p.grad for p in (*first.parameters(), *second.parameters()))]

    with dispatch.force("numpy" if case == "numpy" else "native"):
        for one, other in zip(gradients(True), gradients(False)):
            assert (one is None) == (other is None)
            if one is not None:
                wanted = other.numpy()
                np.testing.assert_allclose(one.numpy(), wanted, rtol=1e-5, atol=1e-5 * max(1, np.abs(wanted).max()))


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the nodes that run by themselves from now on."""
    ran: list[str] = []
    run = Op.run

    def noting(node: Op, grads: Any) -> Any:
        ran.append(node.name())
        return run(node, grads)

    monkeypatch.setattr(Op, "run", noting)
    return ran


def test_backward_merges_what_nobody_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = watched(monkeypatch)
    x, conv = lenet.randn(3, 1, 8, 8), nn.Conv2d(1, 2, 3)
    pooled(x, conv).sum().backward()
    assert ran == ["SumBackward"]
    assert conv.weight.grad is not None
    ran.clear()
    y = lenet.randn(3, 1, 8, 8, requires_grad=True)
    F.max_pool2d(F.relu(y * 2), 2).sum().backward()
    assert ran == ["SumBackward", "MulBackward"]


def _node_hook(c: Any, r: Any, p: Any) -> Any:
    r.grad_fn.register_hook(lambda *_: None)


def _tensor_hook(c: Any, r: Any, p: Any) -> Any:
    r.register_hook(lambda grad: grad * 2)


def _retained(c: Any, r: Any, p: Any) -> Any:
    c.retain_grad()


def _own_hook(c: Any, r: Any, p: Any) -> Any:
    p.grad_fn.register_prehook(lambda *_: None)


def _second_consumer(c: Any, r: Any, p: Any) -> Any:
    return (r * r).sum()


def _changed_in_place(c: Any, r: Any, p: Any) -> Any:
    with lenet.no_grad():
        p.zero_()


@pytest.mark.parametrize("look", [_node_hook, _tensor_hook, _retained, _own_hook, _second_consumer, _changed_in_place])
def test_backward_runs_every_node_where_somebody_looks(
    look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lenet.manual_seed(0)
    x, conv = lenet.randn(3, 1, 8, 8), nn.Conv2d(1, 2, 3)

    def gradient(fused: bool) -> Any:
        conv.weight.grad = None
        c = conv(x)
        r = F.relu(c)
        p = F.max_pool2d(r, 2)
        loss = p.sum()
        more = look(c, r, p)
        with fusion(fused):
            (loss if more is None else loss + more).backward()
        if look is _retained:
            assert c.grad.shape == c.shape
        assert conv.weight.grad is not None
        return conv.weight.grad.numpy()

    wanted = gradient(False)
    ran = watched(monkeypatch)
    np.testing.assert_allclose(gradient(True), wanted, rtol=1e-5, atol=1e-5)
    if look is not _retained:  # there the two above the one that is looked at may merge
        assert "ReluBackward" in ran
    assert "ConvolutionBackward" in ran


def test_merged_nodes_keep_and_free_what_they_saved_as_others_do() -> None:
    x, conv = lenet.randn(3, 1, 8, 8), nn.Conv2d(1, 2, 3)
    loss = pooled(x, conv).sum()
    loss.backward(retain_graph=True)
    assert conv.weight.grad is not None
    once = conv.weight.grad.numpy().copy()
    loss.backward()
    np.testing.assert_allclose(conv.weight.grad.numpy(), 2 * once, rtol=1e-6)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    y = pooled(x, conv)
    with lenet.no_grad():
        conv.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        y.sum().backward()


def test_gradients_asked_for_between_are_found() -> None:
    x, conv = lenet.randn(3, 1, 8, 8), nn.Conv2d(1, 2, 3)
    c = conv(x)
    (grad,) = lenet.autograd.grad(F.max_pool2d(F.relu(c), 2).sum(), [c])
    assert grad.shape == c.shape
